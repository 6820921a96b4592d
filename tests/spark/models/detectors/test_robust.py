"""Robust deviation: middle and spread that outliers do not move, and an explanation in units of that spread."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from faultline.errors import ArtifactError, NotFittedError
from spark.models.base import Matrix
from spark.models.detectors.robust import LARGEST, RobustDeviation, _weighted_median

rows = arrays(np.float32, (9, 2), elements=st.floats(-100, 100, width=16))


def fit(x: Matrix) -> RobustDeviation:
    return RobustDeviation().fit(x, np.ones(len(x), np.int64))


def gaussian(n: int = 100_001) -> Matrix:
    return np.random.default_rng(8).normal(50.0, 5.0, (n, 1)).astype(np.float32)


def test_contributions_are_standard_deviations_of_a_normal_distribution() -> None:
    z = fit(gaussian()).contributions(np.array([[50], [60], [35]], np.float32))
    assert z[:, 0].tolist() == pytest.approx([0, 2, -3], abs=0.05)


def test_outliers_in_training_move_neither_middle_nor_spread() -> None:
    x = gaussian(1001)
    spoiled = x.copy()
    spoiled[:100] = 1e6
    asked = np.array([[60]], np.float32)
    assert fit(spoiled).contributions(asked) == pytest.approx(fit(x).contributions(asked), rel=0.3)


def test_a_constant_is_the_more_surprising_the_longer_it_held() -> None:
    asked = np.array([[6]], np.float32)
    z = [float(fit(np.full((n, 1), 4, np.float32)).contributions(asked)[0, 0]) for n in (3, 99)]
    assert z == pytest.approx([2 / 4 * sqrt(4), 2 / 4 * sqrt(100)])


def test_a_feature_that_was_always_zero_is_measured_in_ones() -> None:
    assert fit(np.zeros((24, 1), np.float32)).contributions(np.array([[2]], np.float32))[0, 0] == pytest.approx(10)


def test_a_feature_that_was_mostly_constant_has_a_spread_all_the_same() -> None:
    x = np.zeros((1000, 1), np.float32)
    x[:100] = 10
    z = float(fit(x).contributions(np.array([[10]], np.float32))[0, 0])
    assert 5 < z < 10  # one in ten windows had it


def test_the_score_adds_up_what_moved() -> None:
    detector = fit(np.random.default_rng(3).normal(size=(500, 3)).astype(np.float32))
    x = np.array([[5, 0, 0], [5, 5, 0]], np.float32)
    z = detector.contributions(x).astype(np.float64)
    np.testing.assert_allclose(detector.score(x), np.linalg.norm(np.log1p(np.abs(z)), axis=1), rtol=1e-5)


def test_two_features_that_moved_outweigh_one_that_moved_far() -> None:
    detector = fit(np.random.default_rng(3).normal(size=(500, 3)).astype(np.float32))
    one, two = detector.score(np.array([[40, 0, 0], [20, 20, 0]], np.float32))
    assert two > one


@given(rows, st.lists(st.integers(1, 4), min_size=9, max_size=9))
def test_counts_are_repetitions(x: Matrix, times: list[int]) -> None:
    once = RobustDeviation().fit(x, np.array(times)).contributions(x + 1)
    np.testing.assert_allclose(once, fit(np.repeat(x, times, axis=0)).contributions(x + 1), rtol=1e-4, atol=1e-5)


@given(rows)
def test_the_median_is_the_lower_one(x: Matrix) -> None:
    got = _weighted_median(x.astype(np.float64), np.ones(len(x), np.int64))
    assert got.tolist() == np.median(x, axis=0).tolist()
    assert _weighted_median(np.array([[1.0], [2.0]]), np.array([1, 1])).tolist() == [1.0]


def test_what_is_no_number_is_the_largest_contribution() -> None:
    z = fit(gaussian(99)).contributions(np.array([[np.nan], [np.inf], [-np.inf], [3e38]], np.float32))
    assert z[:, 0].tolist() == [LARGEST, LARGEST, -LARGEST, LARGEST]


def test_explaining_has_the_same_rules_as_scoring() -> None:
    with pytest.raises(NotFittedError, match="RobustDeviation explains before it was fitted; call fit or load first"):
        RobustDeviation().contributions(gaussian(1))
    with pytest.raises(
        ArtifactError, match=r"got rows of shape \(1, 2\), expected \[n, 1\]: the model was trained with"
    ):
        fit(gaussian(9)).contributions(np.zeros((1, 2), np.float32))


def test_one_spread_in_one_of_one_features() -> None:
    detector = fit(gaussian())
    assert float(detector.score(np.array([[55]], np.float32))[0]) == pytest.approx(log(2), abs=0.02)
