"""Labelled records: from a set, and by an injector's journal."""

from __future__ import annotations

import json
from datetime import timedelta

import pyarrow as pa
import pytest

from evaluation.datasets.labelled import DatasetError
from evaluation.labelled_rows import ROW_SCHEMA, LabelledParquetConfig, label_batch, read_journal, to_table
from faultline.errors import ConfigError
from faultline.records import Event


def journal(tmp_path, start, seconds=20, **changes):
    entry = {
        "target": "payments",
        "kind": "stopped",
        "start": str(start),
        "end": str(start + timedelta(seconds=seconds)),
    }
    path = tmp_path / "journal.json"
    path.write_text(json.dumps([{**entry, **changes}]))
    return path


def test_a_set_becomes_rows_the_stream_can_read(make_sessions):
    table = to_table(make_sessions())
    assert table.schema == ROW_SCHEMA
    assert len(table) == 80 * 3 - 3
    assert Event.from_bytes(table["value"][0].as_py()).body == "open file 1"
    assert {row["session"] for row in table.to_pylist() if row["label"]} == {"s10", "s60", "s70"}


def test_time_labels_and_words_do_not(tmp_path, make_line):
    events = [make_line(i, "ERROR all is lost" if i < 3 else "all is well", service=f"s{i % 2}") for i in range(12)]
    faults = read_journal(journal(tmp_path, events[4].timestamp))
    values = pa.array([event.to_bytes() for event in events] + [b"junk"], pa.binary())
    rows = label_batch(faults, pa.RecordBatch.from_arrays([values], ["value"])).to_pylist()
    found = [(Event.from_bytes(row["value"]).event_id, row["label"], row["split"], row["target"]) for row in rows]
    assert found == [
        *[(f"t:{i}", 0, "train", "") for i in range(4)],
        *[(f"t:{i}", 1, "test", "payments") for i in (4, 5, 6)],  # 7 to 9 settle
        *[(f"t:{i}", 0, "test", "") for i in (10, 11)],
    ]
    assert {row["session"] for row in rows if row["label"]} == {"fault:0"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no journal .*, expected a JSON list; ./run demo writes one"),
        ("[]", "holds no fault, expected at least one"),
        ("[7]", "entry 0 is 7 .*, expected target, start and end"),
        (
            '[{"target": "a", "start": "2026-01-01T00:00:00", "end": "2026-01-01T00:00:00"}]',
            "start and end need a zone",
        ),
    ],
)
def test_each_bad_journal_is_said(tmp_path, text, message):
    path = tmp_path / "journal.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_journal(path)


def test_settings_are_read_from_the_environment(tmp_path):
    environ = {
        "FAULTLINE_HOME": str(tmp_path),
        "FAULTLINE_LABELLED_FORMAT": "HDFS",
        "FAULTLINE_LABELLED_PATH": "/data/hdfs",
    }
    config = LabelledParquetConfig.from_env(environ)
    assert (config.source, str(config.path)) == ("HDFS", "/data/hdfs")
    assert config.dataset == tmp_path / "datasets" / "labelled"


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"FAULTLINE_LABELLED_FORMAT": "CSV"}, "FAULTLINE_LABELLED_FORMAT is 'CSV', expected one of journal, BGL"),
        ({}, "FAULTLINE_LABELLED_PATH is None, expected a public set's folder, a labelled log, or a journal.json"),
    ],
)
def test_bad_settings_are_refused(environ, message):
    with pytest.raises(ConfigError, match=message):
        LabelledParquetConfig.from_env(environ)
