"""Each public set from a small folder of the same form, and the real ones where they are there."""

from __future__ import annotations

from collections import Counter

import pytest

from evaluation import datasets
from evaluation.datasets.labelled import DatasetError, UnitKind
from evaluation.datasets.options import DatasetOptions
from evaluation.run import PUBLIC
from faultline.evaluation_verb import FORMATS
from spark.models.features import event_text

OPTIONS = DatasetOptions()


def units(labelled):
    return Counter((unit.split, unit.label) for unit in labelled.units)


def test_formats_of_the_verb_are_those_that_can_be_read():
    assert set(FORMATS) == set(datasets.loaders())


def test_hdfs_groups_lines_by_block(hdfs):
    found = datasets.load(hdfs, "HDFS", OPTIONS)
    assert (found.kind, units(found)) == (
        UnitKind.SESSION,
        {("train", 0): 14, ("train", 1): 1, ("test", 0): 14, ("test", 1): 1},
    )
    assert Counter(found.unit_of.tolist()) == dict.fromkeys(range(30), 2)
    assert [(line.line, line.reason) for line in found.unreadable] == [(61, "holds no block id")]
    assert found.lines_read == 61


def test_hdfs_100k_keeps_dropped_anomalies_for_the_bound_alone(hdfs_100k):
    found = datasets.load(hdfs_100k, "HDFS100K", OPTIONS)
    assert (found.kind, found.timed, units(found)) == (
        UnitKind.SESSION,
        False,
        {("train", 0): 29, ("train", 1): 1, ("test", 0): 9, ("test", 1): 1},
    )
    assert [event.body for event in found.events[:2]] == ["Receiving <*>", "Deleting <*>"]


GOOD = '{"block_id": "b", "label": 0, "split": "train", "events": ["E1"]}'
BAD_SESSIONS = {
    "not JSON": ("{", r"jsonl.gz:2: not JSON \("),
    "no events": ('{"block_id": "b", "label": 0, "split": "train"}', "jsonl.gz:2: no events, expected block_id"),
    "another split": (GOOD.replace("train", "dev"), "jsonl.gz:2: split is 'dev', expected one of train, test, dropped"),
    "another label": (GOOD.replace("0", "7"), "jsonl.gz:2: label is '7', expected 0 or 1"),
    "another type": (GOOD.replace("E1", "E9"), "jsonl.gz:2: event type 'E9' is not in hdfs_100k_templates.json"),
}


@pytest.mark.parametrize("name", BAD_SESSIONS)
def test_bad_sessions_of_hdfs_100k_are_refused_with_their_number(hdfs_100k, write, name):
    text, message = BAD_SESSIONS[name]
    write(hdfs_100k / "hdfs" / "hdfs_100k_sessions.jsonl.gz", GOOD, text)
    with pytest.raises(DatasetError, match=message):
        datasets.load(hdfs_100k, "HDFS100K", OPTIONS)


@pytest.mark.parametrize(("text", "got"), [("{", r"not JSON \("), ("[]", "is a list")])
def test_bad_event_types_of_hdfs_100k_are_refused(hdfs_100k, write, text, got):
    write(hdfs_100k / "hdfs" / "hdfs_100k_templates.json", text)
    with pytest.raises(DatasetError, match=rf"templates.json: {got}.*, expected an object of event type and text"):
        datasets.load(hdfs_100k, "HDFS100K", OPTIONS)


def test_bgl_never_shows_its_label_to_a_model(bgl):
    found = datasets.load(bgl, "BGL", OPTIONS)
    texts = " ".join(event_text(event) for event in found.events)
    assert units(found) == {("train", 0): 12, ("train", 1): 1, ("test", 0): 6, ("test", 1): 2}
    assert not any(alert in texts for alert in ("KERNDTLB", "APPREAD"))
    assert not any(event_text(event).startswith("-") for event in found.events)


def test_bgl_with_another_number_of_labels_is_refused(bgl, write):
    write(bgl / "bgl" / "bgl_2k_labels.csv.gz", "line_no,label,split", "1,0,train")
    with pytest.raises(DatasetError, match="20 lines but 1 labels, expected one label a line"):
        datasets.load(bgl, "BGL", OPTIONS)


def test_trainticket_labels_minutes_of_the_broken_service_only(trainticket):
    found = datasets.load(trainticket, "TRAINTICKET", OPTIONS)
    abnormal = [(unit.group, unit.start.minute, unit.split) for unit in found.units if unit.label]
    assert abnormal == [
        ("ts-basic-service", minute, split)
        for minute, split in ((9, "train"), (10, "train"), (11, "train"), (15, "test"), (16, "test"), (17, "test"))
    ]
    assert [line.reason[:21] for line in found.unreadable] == ["no container log line"]
    assert {event.trace_id for event in found.events} >= {"t0", "t1195"}


def test_web_access_has_no_labels(web):
    found = datasets.load(web, "WEB", OPTIONS)
    assert (found.labelled, units(found)) == (False, {("train", 0): 30, ("test", 0): 11})
    assert [(line.line, line.reason) for line in found.unreadable] == [
        (41, "read as plain text: not in nginx's combined format")
    ]


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(DatasetError, match=r"nowhere is no folder, expected the folder of set HDFS with its README"):
        datasets.load(tmp_path / "nowhere", "HDFS", OPTIONS)


def test_a_damaged_file_is_said(hdfs):
    path = hdfs / "hdfs" / "hdfs_2pct.log.gz"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(
        DatasetError, match=r"hdfs_2pct.log.gz: cannot be read to the end \(.*\); fetch or pack it again"
    ):
        datasets.load(hdfs, "HDFS", OPTIONS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("BGL", {("train", 0): 6104, ("train", 1): 97, ("test", 0): 754, ("test", 1): 46}),
        ("HDFS", {("train", 0): 5538, ("train", 1): 212, ("test", 0): 5613, ("test", 1): 138}),
        ("HDFS100K", {("train", 0): 6096, ("train", 1): 256, ("test", 0): 1531, ("test", 1): 57}),
    ],
)
def test_the_real_sets_have_the_counts_of_their_readme(name, expected):
    if name not in datasets.public_sets(PUBLIC):
        pytest.skip(f"{PUBLIC} holds no set {name}; the small folder above covers the code")
    assert units(datasets.load(PUBLIC, name, OPTIONS)) == expected
