from datetime import UTC, datetime
from pathlib import Path

import pytest

from chaos.records import NormalPeriod, append_record, read_records
from faultline.errors import ConfigError

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
PERIOD = NormalPeriod(start=START, end=START)


def test_what_is_appended_is_read_in_order(tmp_path: Path) -> None:
    later = NormalPeriod(start=START, end=datetime(2026, 1, 31, 13, tzinfo=UTC))
    for period in (PERIOD, later):
        append_record(tmp_path / "normal.jsonl", period)
    assert read_records(tmp_path / "normal.jsonl", NormalPeriod) == [PERIOD, later]


def test_no_file_no_records(tmp_path: Path) -> None:
    assert read_records(tmp_path / "normal.jsonl", NormalPeriod) == []


def test_a_line_that_was_cut_off_is_left_out_and_written_over(tmp_path: Path) -> None:
    path = tmp_path / "normal.jsonl"
    append_record(path, PERIOD)
    with path.open("ab") as file:
        file.write(b'{"start":"2026-01')
    assert read_records(path, NormalPeriod) == [PERIOD]
    append_record(path, PERIOD)
    assert read_records(path, NormalPeriod) == [PERIOD, PERIOD]


def test_a_whole_line_that_is_no_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "normal.jsonl"
    append_record(path, PERIOD)
    path.write_bytes(path.read_bytes() + b'{"start": 7}\n')
    with pytest.raises(ConfigError, match=r"normal.jsonl:2 is '\{\"start\": 7\}', expected one NormalPeriod as JSON"):
        read_records(path, NormalPeriod)
