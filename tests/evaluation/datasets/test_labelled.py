"""Labels, splits and the order of units."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.datasets.labelled import TEST, TRAIN, DatasetError, parse_label, split_in_time

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "label"), [("0", 0), ("-", 0), ("Normal", 0), ("1", 1), (" Anomaly ", 1), ("TRUE", 1)]
)
def test_labels_are_read_as_label_files_write_them(text, label):
    assert parse_label(text, "x") == label


def test_a_label_that_is_none_is_refused_with_its_place():
    with pytest.raises(DatasetError) as caught:
        parse_label("maybe", "labels.csv:7")
    assert str(caught.value) == "labels.csv:7: label is 'maybe', expected 0 or 1, Normal or Anomaly"


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=50), st.floats(0.1, 0.9))
def test_no_unit_that_trains_begins_after_one_that_tests(seconds, share):
    starts = [START + timedelta(seconds=second) for second in seconds]
    splits = split_in_time(starts, share)
    train = [start for start, split in zip(starts, splits, strict=True) if split == TRAIN]
    test = [start for start, split in zip(starts, splits, strict=True) if split == TEST]
    assert len(train) == round(share * len(starts))
    assert not train or not test or max(train) <= min(test)


def test_too_few_normal_units_are_refused(make_lines):
    with pytest.raises(DatasetError) as caught:
        make_lines(count=12, wrong=())
    assert str(caught.value) == (
        "lines: 6 normal lines to train and 6 to test on, expected at least 10 and 1; give more lines, or"
        " another --split"
    )


def test_units_of_a_split_come_in_order_of_time(make_lines):
    labelled = make_lines()
    starts = [labelled.units[unit].start for unit in labelled.of_split(TEST)]
    assert starts == sorted(starts)
