"""Any text log: labels in the first field, or by session."""

from __future__ import annotations

import pytest

from evaluation import datasets
from evaluation.datasets.labelled import DatasetError, UnitKind
from evaluation.datasets.options import DatasetOptions


def load(path, **options):
    return datasets.load(path, "LOGHUB", DatasetOptions(**options))


def labelled_lines(count=30, wrong=(5, 25)):
    return [f"{'ALERT' if i in wrong else '-'} {1131566461 + i} dn{i} crond[{i}]: session {i}" for i in range(count)]


def test_the_first_field_is_the_label_and_never_text(tmp_path, write):
    found = load(write(tmp_path / "a.log.gz", *labelled_lines()))
    assert (found.kind, found.timed, found.labels.tolist()) == (
        UnitKind.LINE,
        True,
        [int(i in (5, 25)) for i in range(30)],
    )
    assert {event.body.split("[")[0] for event in found.events} == {"crond"}


def test_lines_without_a_clock_keep_their_order(tmp_path, write):
    found = load(write(tmp_path / "a.log", *[f"- message {i}" for i in range(30)]))
    assert found.timed is False
    assert [event.body for event in found.events] == [f"message {i}" for i in range(30)]
    assert sorted(event.timestamp for event in found.events) == [event.timestamp for event in found.events]


def test_a_line_with_nothing_but_a_label_is_counted(tmp_path, write):
    found = load(write(tmp_path / "a.log", *labelled_lines(), "-"))
    assert [(line.line, line.reason) for line in found.unreadable] == [(31, "nothing after the label")]
    assert found.lines_read == 31


def test_labels_of_sessions_come_from_a_file(tmp_path, write):
    lines = [f"2026-01-01 00:00:{i:02d} INFO request id={i // 2} step" for i in range(60)]
    log = write(tmp_path / "a.log", *lines, "2026-01-01 00:01:00 INFO idle")
    labels = write(
        tmp_path / "l.csv",
        "BlockId,Label",
        *[f"{i},{'Anomaly' if i == 29 else 'Normal'}" for i in range(29)],
        "29,Anomaly",
    )
    found = load(log, labels=labels, session=r"id=(\d+)")
    assert (found.kind, len(found.units), found.labels.sum()) == (UnitKind.SESSION, 30, 1)
    assert [line.reason for line in found.unreadable] == ["no session id"]


def bad_session(tmp_path, write, **options):
    log = write(tmp_path / "a.log", *[f"INFO request id={i}" for i in range(30)])
    return load(log, **options)


def test_labels_without_a_session_are_refused(tmp_path, write):
    labels = write(tmp_path / "l.csv", "id,label", "1,0")
    with pytest.raises(DatasetError, match="one of --labels and --session is missing, expected both or none of them"):
        bad_session(tmp_path, write, labels=labels)


@pytest.mark.parametrize(
    ("rows", "session", "text"),
    [
        (["id,label", "1,0"], "id=([", r"--session 'id=\(\[': .*, expected a regular expression such as"),
        (["id,label", "1,0"], "nothing", "--session 'nothing' is found in none of 30 lines, expected in most"),
        (
            ["id,label", "x,0"],
            r"id=(\d+)",
            "none of 30 sessions has a label .first in the log: '0', first labelled: 'x'.",
        ),
        (["id,kind", "1,0"], r"id=(\d+)", "l.csv:1: columns are id, kind, expected one of label, anomaly, is_anomaly"),
        (["id,label", "1,perhaps"], r"id=(\d+)", "l.csv:2: label is 'perhaps', expected 0 or 1"),
        (["id,label"], r"id=(\d+)", "l.csv: holds no label, expected a header and one session id and label a line"),
    ],
)
def test_each_bad_labels_file_is_said(tmp_path, write, rows, session, text):
    labels = write(tmp_path / "l.csv", *rows)
    with pytest.raises(DatasetError, match=text):
        bad_session(tmp_path, write, labels=labels, session=session)


def test_a_log_without_labels_is_refused(tmp_path, write):
    with pytest.raises(DatasetError) as caught:
        load(write(tmp_path / "a.log", "INFO one", "INFO two"))
    assert str(caught.value) == (
        f"{tmp_path}/a.log: 0 of 2 lines begin with '-' (the first is 'INFO one'), expected a label as first field, '-'"
        " for normal; or give --labels FILE.csv and --session REGEX"
    )


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(DatasetError, match=r"b.log is no file, expected a log file; check the path"):
        load(tmp_path / "b.log")
