"""Metrics against values computed by hand."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from evaluation.metrics import best_f1, f1_interval, measure, rate_interval, resampled_curves

LABELS = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
SCORES = np.array([9, 8, 1, 7, 0, 0, 0, 0, 0, 0], np.float32)
FLAGS = SCORES > 6


def test_figures_are_those_of_the_table():
    m = measure(LABELS, SCORES, FLAGS, seed=1)
    assert (m.true_alarms, m.false_alarms, m.missed) == (2, 1, 1)
    assert (m.precision, m.recall, m.f1) == (pytest.approx(2 / 3), pytest.approx(2 / 3), pytest.approx(2 / 3))
    # 21 pairs of abnormal and normal; only (1, 7) is the wrong way round.
    assert m.auroc == pytest.approx(20 / 21)
    assert m.average_precision == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert m.best_f1 == pytest.approx(6 / 7)  # all above 0: precision 3/4, recall 1
    assert (m.false_rate, m.false_per_10000) == (pytest.approx(1 / 7), pytest.approx(10_000 / 7))


def test_intervals_hold_the_value_and_depend_on_the_seed_only():
    m, again = (measure(LABELS, SCORES, FLAGS, seed=1) for _ in range(2))
    assert m == again
    for low, value, high in (
        (*m.f1_interval[:1], m.f1, m.f1_interval[1]),
        (m.auroc_interval[0], m.auroc, m.auroc_interval[1]),
        (m.average_precision_interval[0], m.average_precision, m.average_precision_interval[1]),
        (m.false_rate_interval[0], m.false_rate, m.false_rate_interval[1]),
    ):
        assert low <= value <= high


def test_the_exact_interval_is_clopper_and_pearsons():
    # None of n: 1 - 0.025 ** (1 / n).
    assert rate_interval(0, 100) == (0.0, pytest.approx(1 - 0.025 ** (1 / 100)))


@pytest.mark.parametrize("label", [0, 1])
def test_what_cannot_be_told_is_no_number(label):
    m = measure(np.full(5, label), np.arange(5, dtype=np.float32), np.array([True, False, False, False, False]), seed=1)
    assert all(map(isnan, (m.precision, m.f1, m.auroc, m.best_f1, *m.f1_interval)))
    assert m.false_alarms == (1 - label)


def test_a_score_that_is_no_number_counts_as_the_highest():
    scores = np.array([np.nan, 0.5, 0.1], np.float32)
    assert measure(np.array([1, 0, 0]), scores, scores > 0.2, seed=1).auroc == 1.0


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40))
def test_the_interval_of_f1_lies_within_its_range(pairs):
    labels, flags = (np.array(column) for column in zip(*pairs, strict=True))
    low, high = f1_interval(labels.astype(np.int64), flags, seed=3)
    assert 0 <= low <= high <= 1


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=30))
def test_resampled_curves_are_those_of_the_library(rows):
    labels, scores, times = (np.array(column) for column in zip(*rows, strict=True))
    weights = times[None, :]
    areas, precisions = resampled_curves(labels.astype(np.int64), scores.astype(np.float32), weights)
    kept = labels[times > 0]
    if kept.all() or not kept.any():
        assert (len(areas), len(precisions)) == (0, 0)
        return
    assert areas == pytest.approx([roc_auc_score(labels, scores, sample_weight=times)])
    assert precisions == pytest.approx([average_precision_score(labels, scores, sample_weight=times)])


def test_a_perfect_order_has_a_perfect_best():
    assert best_f1(np.array([0, 1, 1]), np.array([0.1, 0.2, 0.3], np.float32)) == pytest.approx(1.0)
