"""Conformal p-values against their definition, and what the budget is worth."""

from __future__ import annotations

import json
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.errors import TrainingDataError
from spark.models.threshold import ConformalThreshold

scores = st.sampled_from([0.0, 0.1, 0.2, 0.3, 1.5]) | st.floats(0.0, 3.0, width=32)
calibration = st.lists(st.tuples(scores, st.integers(1, 5)), min_size=1, max_size=20)


def fit(pairs: list[tuple[float, int]], budget: float = 1.0, units_per_day: float = 1000.0) -> ConformalThreshold:
    return ConformalThreshold.fit(
        np.array([score for score, _ in pairs], np.float32),
        np.array([count for _, count in pairs], np.int64),
        budget_per_day=budget,
        units_per_day=units_per_day,
    )


@given(calibration, st.lists(scores, max_size=10))
def test_p_values_are_their_definition(pairs: list[tuple[float, int]], asked: list[float]) -> None:
    units = [np.float32(score) for score, count in pairs for _ in range(count)]
    expected = [(1 + sum(unit >= np.float32(s) for unit in units)) / (1 + len(units)) for s in asked]
    assert fit(pairs).p_values(np.array(asked, np.float32)).tolist() == expected


@given(calibration, st.lists(scores, min_size=2, max_size=10))
def test_a_higher_score_never_has_a_higher_p_value(pairs: list[tuple[float, int]], asked: list[float]) -> None:
    p_values = fit(pairs).p_values(np.array(sorted(asked), np.float32))
    assert (np.diff(p_values) <= 0).all()
    assert ((p_values > 0) & (p_values <= 1)).all()


@given(calibration, scores)
def test_what_is_stored_decides_alike(pairs: list[tuple[float, int]], score: float) -> None:
    threshold = fit(pairs)
    again = ConformalThreshold.from_json(json.loads(json.dumps(threshold.to_json())))
    x = np.array([score], np.float32)
    assert again.p_values(x) == threshold.p_values(x)
    assert (again.level, again.bound_per_day) == (threshold.level, threshold.bound_per_day)


@given(calibration, st.floats(0.001, 1e6), st.floats(0.001, 1e9))
def test_what_scores_like_any_normal_unit_is_normal(
    pairs: list[tuple[float, int]], budget: float, units_per_day: float
) -> None:
    threshold = fit(pairs, budget, units_per_day)
    lowest = np.array([min(score for score, _ in pairs)], np.float32)
    assert not threshold.is_anomaly(lowest).any()


def test_ties_count_against_the_line() -> None:
    threshold = fit([(0.5, 9)], budget=100.0)
    assert threshold.p_values(np.array([0.5, 0.50001], np.float32)).tolist() == [1.0, 0.1]
    assert threshold.is_anomaly(np.array([0.5, 0.50001], np.float32)).tolist() == [False, True]


def test_with_long_normal_time_the_budget_decides() -> None:
    threshold = fit([(float(score), 1) for score in range(9999)], budget=10.0, units_per_day=1000.0)
    assert (threshold.level, threshold.bound_per_day) == (0.01, 10.0)
    assert threshold.is_anomaly(np.array([9898.0, 9900.0], np.float32)).tolist() == [False, True]


def test_with_short_normal_time_only_what_was_never_seen_is_abnormal() -> None:
    threshold = fit([(0.0, 50), (0.4, 49)], budget=1.0, units_per_day=100_000.0)
    assert (threshold.level, threshold.bound_per_day) == (0.01, 1000.0)
    assert threshold.is_anomaly(np.array([0.4, 0.41], np.float32)).tolist() == [False, True]


def test_a_budget_beyond_the_number_of_units_does_not_call_everything_abnormal() -> None:
    threshold = fit([(0.0, 99), (1.0, 1)], budget=5.0, units_per_day=0.1)
    assert threshold.level == 1.0
    assert threshold.is_anomaly(np.array([0.0, 0.5], np.float32)).tolist() == [False, True]


def test_a_score_that_is_no_number_is_as_abnormal_as_can_be() -> None:
    threshold = fit([(0.5, 9)])
    x = np.array([np.nan, np.inf], np.float32)
    assert threshold.p_values(x).tolist() == [0.1, 0.1]
    assert threshold.is_anomaly(x).tolist() == [True, True]


def test_nothing_in_nothing_out() -> None:
    assert fit([(0.5, 9)]).p_values(np.empty(0, np.float32)).tolist() == []


@pytest.mark.parametrize("pairs", [[], [(0.5, 0)]])
def test_nothing_held_out_is_refused(pairs: list[tuple[float, int]]) -> None:
    with pytest.raises(TrainingDataError, match="nothing held out to calibrate on, expected some seconds of normal"):
        fit(pairs)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_are_refused(bad: float) -> None:
    with pytest.raises(TrainingDataError, match="held-out scores hold NaN or infinity, expected finite numbers"):
        fit([(0.5, 1), (bad, 1)])


@pytest.mark.parametrize("level", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("distinct", [10, 10_000])
def test_exchangeable_units_exceed_the_level_no_more_often_than_it_says(level: float, distinct: int) -> None:
    rounds, n = 20_000, 99  # (n + 1) * level is whole: without ties the bound is tight
    draw = np.random.default_rng(5).integers(0, distinct, (rounds, n + 1)).astype(np.float32)
    hits = 0
    for row in draw:
        threshold = ConformalThreshold.fit(
            row[:n], np.ones(n, np.int64), budget_per_day=level * 1000, units_per_day=1000.0
        )
        hits += int(threshold.is_anomaly(row[n:])[0])
    bound = 4 * sqrt(level * (1 - level) / rounds)  # four standard deviations of a binomial share
    assert hits / rounds <= level + bound
    if distinct > n * n:
        assert hits / rounds >= level - bound - 0.002  # few ties


anything = scores | st.sampled_from([float("inf"), float("nan"), 3.4e38, -1.0]) | st.floats(width=32)


@given(calibration, st.lists(anything, min_size=2, max_size=10))
def test_surprise_is_finite_and_rises_with_the_score(pairs: list[tuple[float, int]], asked: list[float]) -> None:
    surprise = fit(pairs).surprise(np.sort(np.array(asked, np.float32)))  # numpy sorts NaN to the end
    assert np.isfinite(surprise).all()
    assert (surprise >= 0).all()
    assert (np.diff(surprise) >= 0).all()


@given(calibration, st.lists(scores, min_size=1, max_size=10))
def test_within_what_normal_time_had_surprise_is_the_p_value(
    pairs: list[tuple[float, int]], asked: list[float]
) -> None:
    threshold, highest = fit(pairs), max(score for score, _ in pairs)
    x = np.minimum(np.array(asked, np.float32), np.float32(highest))
    np.testing.assert_allclose(10.0 ** -threshold.surprise(x), threshold.p_values(x))


@given(calibration)
def test_above_it_no_two_scores_tie(pairs: list[tuple[float, int]]) -> None:
    threshold = fit(pairs)
    above = np.float32(max(score for score, _ in pairs)) + np.array([0, 1e-3, 1e-2, 0.1, 1, 10, 1e9, 1e30], np.float32)
    surprise = threshold.surprise(above)
    assert (np.diff(surprise) > 0).all()
    assert (threshold.p_values(above[1:]) == 1 / (1 + threshold.units)).all()


def test_surprise_counts_decades_of_the_tail() -> None:
    threshold = fit([(0.0, 9), (0.5, 90), (2.5, 1)])
    assert threshold.surprise(np.array([2.5, 2.5 + 9 * 2, np.nan, np.inf], np.float32)) == pytest.approx(
        [np.log10(101 / 2), np.log10(101) + 1, np.log10(101) + 38.23, np.log10(101) + 38.23], abs=0.01
    )


def test_without_a_tail_the_scale_is_the_size_of_the_scores_or_one() -> None:
    assert fit([(108.0, 99)]).surprise(np.array([108 + 9 * 108], np.float32)) == pytest.approx([2 + 1])
    assert fit([(0.0, 99)]).surprise(np.array([9], np.float32)) == pytest.approx([2 + 1])


eighths = st.integers(0, 24).map(lambda number: number / 8)  # exact in float32, also when scaled by eighths


@given(
    st.lists(st.tuples(eighths, st.integers(1, 5)), min_size=1, max_size=20),
    st.lists(eighths, min_size=1, max_size=10),
    st.integers(1, 64).map(lambda number: number / 8),
    eighths,
)
def test_surprise_does_not_depend_on_a_detectors_units(
    pairs: list[tuple[float, int]], asked: list[float], factor: float, offset: float
) -> None:
    pairs = [(0.0, 1 + sum(count for _, count in pairs)), (4.0, 1), *pairs]  # a tail: the median is not the highest
    x = np.array([*asked, 40.0], np.float32)
    scaled = fit([(score * factor + offset, count) for score, count in pairs])
    np.testing.assert_allclose(scaled.surprise(x * np.float32(factor) + np.float32(offset)), fit(pairs).surprise(x))
