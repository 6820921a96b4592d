"""A run's folder, also in the middle of the run and when a file is broken."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from chaos.records import Aborted, NormalPeriod, append_record
from chaos.results import read_results
from faultline.errors import ConfigError
from tests.chaos.runs import at, injection, span, write_run


def test_an_empty_folder_is_a_run_that_has_not_begun(tmp_path: Path) -> None:
    found = read_results(tmp_path)
    assert (found.injections, found.alerts, found.normal) == ((), (), ())
    assert found.missing == (
        "what was planned",
        "the injections",
        "the alerts",
        "normal time",
        "what was measured during each injection",
    )


def test_a_whole_run(tmp_path: Path) -> None:
    write_run(tmp_path, repeats=1, kinds=3)
    found = read_results(tmp_path)
    assert (len(found.faults), len(found.distractors), len(found.evidence), found.missing) == (3, 6, 9, ())
    assert (found.plan.planned, found.plan.seed) == (9, 7)


def test_open_alerts_are_read_and_an_end_that_was_none_is_forgotten(tmp_path: Path) -> None:
    append_record(tmp_path / "alerts.jsonl", span(1, 5))
    append_record(tmp_path / "alerts.jsonl", span(2, 6, service="orders"))
    (tmp_path / "alerts.open.json").write_bytes(msgspec.json.encode([span(1), span(9)]))
    found = [(alert.starts_at, alert.ends_at) for alert in read_results(tmp_path).alerts]
    assert found == [(at(1), None), (at(2), at(6)), (at(9), None)]


def test_an_injection_that_was_done_again_counts_once(tmp_path: Path) -> None:
    append_record(tmp_path / "injections.jsonl", injection(0, 30))
    append_record(tmp_path / "injections.jsonl", injection(100, 130))
    assert [found.start for found in read_results(tmp_path).injections] == [at(100)]


def test_what_could_not_be_injected_has_its_name(tmp_path: Path) -> None:
    for number, name in ((4, "disk_full"), (5, "number 5")):
        append_record(tmp_path / "aborted.jsonl", Aborted(number=number, experiment=name, problem="no target"))
    assert read_results(tmp_path).aborted == ("disk_full", "number 5")


def test_pieces_of_normal_time_are_joined(tmp_path: Path) -> None:
    for start in (0, 60):
        append_record(tmp_path / "normal.jsonl", NormalPeriod(start=at(start), end=at(start + 60)))
    assert len(read_results(tmp_path).normal) == 1


@pytest.mark.parametrize(
    ("name", "text"), [("plan.json", '{"seed": "seven"}'), ("alerts.open.json", "{"), ("injections.jsonl", "7\n")]
)
def test_a_broken_file_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=rf"{name}.*mend the (file|line), or begin a new run"):
        read_results(tmp_path)
