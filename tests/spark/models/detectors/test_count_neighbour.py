"""Nearest count vector: what normal time never varied weighs most."""

from __future__ import annotations

from math import log, sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from faultline.errors import NotFittedError
from spark.models.base import Matrix
from spark.models.detectors import count_neighbour
from spark.models.detectors.count_neighbour import CountNeighbour

# Three replicas are always written; how often a block is read varies.
NORMAL = np.array([[3, reads] for reads in range(10)], np.float32)
ONES = np.ones(len(NORMAL), np.int64)
counts = arrays(np.float32, (8, 3), elements=st.integers(0, 20).map(float))


def score(normal: Matrix, times: list[int], row: list[float]) -> float:
    detector = CountNeighbour().fit(normal, np.array(times, np.int64))
    return float(detector.score(np.array([row], np.float32))[0])


def test_a_constant_count_weighs_more_than_one_that_varies() -> None:
    detector = CountNeighbour().fit(NORMAL, ONES)
    fewer_replicas, more_reads = detector.score(np.array([[2, 5], [3, 12]], np.float32))
    assert fewer_replicas > 3 * more_reads > 0


def test_a_constant_is_the_more_surprising_the_longer_it_held() -> None:
    often = [score(NORMAL[:1], [n], [2, 0]) for n in (1, 99, 9999)]
    assert often == pytest.approx([log(4 / 3) / log(2) * sqrt(n + 1) for n in (1, 99, 9999)])


@given(counts)
def test_what_normal_time_had_scores_zero(x: Matrix) -> None:
    assert not CountNeighbour().fit(x, np.ones(len(x), np.int64)).score(x).any()


@given(counts, counts)
def test_scores_are_the_least_weighted_distance(x: Matrix, asked: Matrix) -> None:
    logs, wanted = np.log1p(x.astype(np.float64)), np.log1p(asked.astype(np.float64))
    spread = np.sqrt((len(x) * logs.var(axis=0) + log(2) ** 2) / (len(x) + 1))
    expected = (np.abs(wanted[:, None] - logs[None]) / spread).sum(axis=2).min(axis=1)
    np.testing.assert_allclose(CountNeighbour().fit(x, np.ones(len(x), np.int64)).score(asked), expected, rtol=1e-5)


@given(counts, st.lists(st.integers(1, 4), min_size=8, max_size=8))
def test_counts_are_repetitions(x: Matrix, times: list[int]) -> None:
    repeated = np.repeat(x, times, axis=0)
    once = CountNeighbour().fit(x, np.array(times)).score(x[::-1] + 1)
    again = CountNeighbour().fit(repeated, np.ones(len(repeated), np.int64)).score(x[::-1] + 1)
    np.testing.assert_allclose(once, again, rtol=1e-5)


def test_the_nearest_row_is_given_back_in_counts() -> None:
    nearest, scores = CountNeighbour().fit(NORMAL, ONES).nearest(np.array([[3, 4], [2, 5]], np.float32))
    np.testing.assert_allclose(nearest, [[3, 4], [3, 5]], rtol=1e-5)
    assert scores[0] == 0 < scores[1]


def test_a_negative_number_is_far_from_every_count() -> None:
    assert score(NORMAL, ONES.tolist(), [-3, 5]) > score(NORMAL, ONES.tolist(), [0, 5]) > 0


def test_the_most_frequent_rows_are_kept_when_there_are_too_many(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(count_neighbour, "MAX_ROWS", 3)
    times = np.array([1, 1, 9, 1, 8, 1, 1, 7, 1, 1])
    detector = CountNeighbour().fit(NORMAL, times)
    assert np.flatnonzero(detector.score(NORMAL) == 0).tolist() == [2, 4, 7]
    ties = [CountNeighbour().fit(x, np.ones(10, np.int64)).score(NORMAL) for x in (NORMAL, NORMAL[::-1])]
    assert np.array_equal(*ties)
    assert int((ties[0] == 0).sum()) == 3


def test_many_rows_are_scored_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = CountNeighbour().fit(NORMAL, ONES)
    asked = np.random.default_rng(0).integers(0, 20, (50, 2)).astype(np.float32)
    whole = detector.score(asked)
    monkeypatch.setattr(count_neighbour, "CELLS", 3 * len(NORMAL))
    assert np.array_equal(detector.score(asked), whole)


def test_what_each_count_adds_to_the_distance_has_a_sign() -> None:
    detector = CountNeighbour().fit(NORMAL, ONES)
    asked = np.array([[3, 9], [0, 4]], np.float32)
    usual, scores = detector.nearest(asked)
    deviations = detector.deviations(asked, usual)
    np.testing.assert_allclose(np.abs(deviations).sum(axis=1), scores, rtol=1e-5)
    assert (np.sign(deviations) == np.sign(np.round(asked - usual))).all()


def test_an_unfitted_detector_explains_nothing() -> None:
    with pytest.raises(NotFittedError, match="explains before it was fitted"):
        CountNeighbour().deviations(NORMAL, NORMAL)
