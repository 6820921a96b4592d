"""Intervals against values that are known."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.statistics import clustered_median, median, rate, share, times


def test_a_median_lies_within_its_interval_and_is_the_same_again() -> None:
    values = list(np.random.default_rng(1).exponential(5, 60))
    found = median(values, seed=7)
    assert found == median(values, seed=7)
    assert found.low < found.value == float(np.median(values)) < found.high


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    found = [median(list(rng.normal(10, 2, 40)), seed=7) for _ in range(100)]
    assert 88 <= sum(estimate.low <= 10 <= estimate.high for estimate in found) <= 100


def test_few_values() -> None:
    assert median([], seed=7).count == 0
    assert isnan(median([], seed=7).value)
    alone = median([4.0], seed=7)
    assert (alone.value, isnan(alone.low)) == (4.0, True)
    assert median([3.0, 3.0, 3.0], seed=7).high == 3.0


def test_repeats_of_a_kind_do_not_make_the_interval_narrow() -> None:
    values = [1.0] * 20 + [5.0] * 20 + [9.0] * 20
    kinds = ["a"] * 20 + ["b"] * 20 + ["c"] * 20
    together, alone = clustered_median(values, kinds, seed=7), median(values, seed=7)
    assert (together.low, together.high) == (1.0, 9.0)
    assert alone.high - alone.low < 8
    assert isnan(clustered_median(values, ["a"] * 60, seed=7).low)


@given(st.lists(st.floats(0, 100), min_size=2, max_size=8))
def test_the_interval_stays_within_the_values(values: list[float]) -> None:
    found = median(values, seed=7)
    rounding = 1e-9
    assert min(values) - rounding <= found.low <= found.high <= max(values) + rounding


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"), [(5, 5, 0.4782, 1.0), (0, 5, 0.0, 0.5218), (8, 10, 0.4439, 0.9748)]
)
def test_shares_as_in_the_tables(hits: int, count: int, low: float, high: float) -> None:
    found = share(hits, count)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@pytest.mark.parametrize(
    ("events", "hours", "low", "high"), [(0, 1, 0, 3.6889), (1, 1, 0.0253, 5.5716), (10, 2, 2.3977, 9.1952)]
)
def test_rates_as_in_the_tables(events: int, hours: float, low: float, high: float) -> None:
    found = rate(events, hours)
    assert (found.value, round(found.low, 4), round(found.high, 4)) == (events / hours, low, high)
    assert times(found, 24).high == 24 * found.high


def test_of_nothing_nothing_can_be_told() -> None:
    assert isnan(share(0, 0).value)
    assert isnan(rate(0, 0).value)
