"""JSON lines: by line, by session, and one bad input per way to be wrong."""

from __future__ import annotations

import json

import pytest

from evaluation import datasets
from evaluation.datasets.labelled import DatasetError, UnitKind
from evaluation.datasets.options import DatasetOptions


def line(i, **fields):
    moment = f"2026-01-01T00:00:{i:02d}Z"
    return json.dumps({"timestamp": moment, "message": f"step {i}", "label": int(i == 25), **fields})


def load(path):
    return datasets.load(path, "JSONL", DatasetOptions())


def test_lines_are_judged_alone(tmp_path, write):
    found = load(write(tmp_path / "a.jsonl.gz", *[line(i, level="warn", service="shop") for i in range(30)]))
    assert (found.kind, found.labels.sum()) == (UnitKind.LINE, 1)
    assert {(event.severity, event.service_name) for event in found.events} == {("WARN", "shop")}
    assert found.events[0].attributes == {}


def test_a_session_is_abnormal_when_a_line_of_it_is(tmp_path, write):
    found = load(write(tmp_path / "a.jsonl", *[line(i, session=f"s{i // 2}") for i in range(50)]))
    assert (found.kind, len(found.units)) == (UnitKind.SESSION, 25)
    assert [unit.key for unit in found.units if unit.label] == ["s12"]


def test_a_given_split_is_kept(tmp_path, write):
    rows = [line(i, split="test" if i % 3 == 0 else "train") for i in range(30)]
    found = load(write(tmp_path / "a.jsonl", *rows))
    assert [unit.split for unit in found.units] == ["test" if i % 3 == 0 else "train" for i in range(30)]


def minutes(count=12, wrong=(3, 9), **fields):
    """One line a quarter of a minute and service; minute i of the shop holds a line that is abnormal."""
    return [
        json.dumps(
            {
                "timestamp": f"2026-01-01T00:{i:02d}:{second:02d}Z",
                "message": "step",
                "service": service,
                "label": int(i in wrong and service == "shop" and second == 15),
                **{name: of(i) for name, of in fields.items()},
            }
        )
        for i in range(count)
        for second in (0, 15, 30, 50)
        for service in ("shop", "bank")
    ]


def test_minutes_of_services_are_judged_when_asked(tmp_path, write):
    path = write(tmp_path / "a.jsonl", *minutes())
    found = datasets.load(path, "JSONL", DatasetOptions(windows=True))
    assert (found.kind, len(found.units)) == (UnitKind.WINDOW, 24)
    assert [unit.key for unit in found.units if unit.label] == ["shop@01-01T00:03", "shop@01-01T00:09"]
    assert {unit.start.minute for unit in found.units if unit.split == "test"} == set(range(6, 12))


def test_minutes_keep_a_given_split(tmp_path, write):
    path = write(tmp_path / "a.jsonl", *minutes(split=lambda i: "test" if i < 4 else "train"))
    found = datasets.load(path, "JSONL", DatasetOptions(windows=True))
    assert {unit.start.minute for unit in found.units if unit.split == "test"} == set(range(4))


BAD = {
    "not JSON": ("{", r"a.jsonl:2: not JSON \("),
    "a list": ("[]", "a.jsonl:2: is a list, expected an object with timestamp, message, label"),
    "no time": ('{"message": "x", "label": 0}', "a.jsonl:2: field 'timestamp' is None, expected RFC 3339"),
    "no message": ('{"timestamp": 1e9, "label": 0}', "a.jsonl:2: field 'message' is None, expected text"),
    "no label": ('{"timestamp": 1e9, "message": "x"}', "a.jsonl:2: label is 'None', expected 0 or 1"),
    "a split of its own": ('{"split": "dev", "label": 0}', "a.jsonl:2: field 'split' is 'dev', expected train or test"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_lines_are_refused_with_their_number(tmp_path, write, name):
    text, message = BAD[name]
    with pytest.raises(DatasetError, match=message):
        load(write(tmp_path / "a.jsonl", line(0), text))


def test_an_empty_file_is_refused(tmp_path, write):
    with pytest.raises(DatasetError, match=r"a.jsonl: holds no line, expected one JSON object a line"):
        load(write(tmp_path / "a.jsonl"))
