"""Nearest normal template: known rows score 0, rare neighbours are farther."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faultline.errors import ArtifactError, NotFittedError, TrainingDataError
from spark.models.base import Matrix
from spark.models.detectors import nearest
from spark.models.detectors.nearest import NearestTemplate

D = 16


def unit_rows(n: int, seed: int, spread: float = 0.1) -> Matrix:
    """Return n unit vectors around the first axis."""
    x = np.random.default_rng(seed).normal(0.0, spread, (n, D))
    x[:, 0] += 1.0
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), np.float32)


NORMAL, COUNTS = unit_rows(50, 1), np.arange(1, 51)
FRESH = unit_rows(40, 2)


def test_nothing_works_before_fitting(tmp_path: Path) -> None:
    detector = NearestTemplate()
    with pytest.raises(NotFittedError, match="NearestTemplate scores before it was fitted; call fit or load first"):
        detector.score(FRESH)
    with pytest.raises(NotFittedError, match="NearestTemplate is saved before it was fitted; call fit first"):
        detector.save(tmp_path)
    with pytest.raises(NotFittedError, match="has no normal rows yet; call fit or load first"):
        _ = detector.normal
    with pytest.raises(NotFittedError, match="has no normal rows yet; call fit or load first"):
        detector.rarity_of(0)


def test_unusable_rows_are_refused() -> None:
    with pytest.raises(TrainingDataError, match="no template to learn from, expected at least one line of normal time"):
        NearestTemplate().fit(NORMAL[:0], COUNTS[:0])
    with pytest.raises(TrainingDataError, match="embeddings hold NaN or infinity, expected finite numbers"):
        NearestTemplate().fit(np.full((1, D), np.nan, np.float32), COUNTS[:1])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ArtifactError, match=r"nearest\.safetensors is missing, expected the state of NearestTemplate; train"
    ):
        NearestTemplate.load(tmp_path)


def test_nothing_in_nothing_out() -> None:
    index, score = NearestTemplate().fit(NORMAL, COUNTS).nearest(FRESH[:0])
    assert (index.tolist(), score.tolist()) == ([], [])


def test_a_row_seen_in_normal_time_scores_zero_however_rare() -> None:
    detector = NearestTemplate().fit(NORMAL, COUNTS)
    index, score = detector.nearest(NORMAL)
    assert index.tolist() == list(range(len(NORMAL)))
    assert not score.any()


def test_a_rare_neighbour_counts_as_farther() -> None:
    x = np.eye(2, dtype=np.float32)
    detector = NearestTemplate().fit(x, np.array([1, 999]))
    middle = np.full((1, 2), np.sqrt(0.5), np.float32)
    index, score = detector.nearest(middle)
    assert index.tolist() == [1]
    assert score[0] == pytest.approx((1 - np.sqrt(0.5)) * 1.001, abs=1e-5)
    assert detector.rarity_of(0) == 1.5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_no_number_is_infinitely_far_and_leaves_the_others_alone(bad: float) -> None:
    detector, x = NearestTemplate().fit(NORMAL, COUNTS), FRESH.copy()
    x[7, 3] = bad
    scores, wanted = detector.score(x), detector.score(FRESH)
    assert scores[7] == np.inf
    assert np.array_equal(np.delete(scores, 7), np.delete(wanted, 7))


def test_only_the_direction_of_a_row_counts() -> None:
    long, short = NearestTemplate().fit(NORMAL * 1e30, COUNTS), NearestTemplate().fit(NORMAL, COUNTS)
    np.testing.assert_allclose(long.score(FRESH * 1e-9), short.score(FRESH), atol=1e-6)


def test_many_rows_are_scored_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = NearestTemplate().fit(NORMAL, COUNTS)
    whole = detector.nearest(FRESH)
    monkeypatch.setattr(nearest, "CELLS", 3 * len(NORMAL))
    parts = detector.nearest(FRESH)
    assert np.array_equal(parts[0], whole[0])
    np.testing.assert_allclose(parts[1], whole[1], atol=1e-6)
