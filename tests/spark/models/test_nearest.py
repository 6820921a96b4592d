"""The contract of every detector, shown also a detector that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from faultline.errors import ArtifactError, NotFittedError, TrainingDataError
from spark.models import nearest
from spark.models.base import Counts, Detector, Matrix, Vector
from spark.models.nearest import NearestTemplate

D = 16


def unit_rows(n: int, seed: int, spread: float = 0.1) -> Matrix:
    """Return n unit vectors around the first axis."""
    x = np.random.default_rng(seed).normal(0.0, spread, (n, D))
    x[:, 0] += 1.0
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), np.float32)


NORMAL, COUNTS = unit_rows(50, 1), np.arange(1, 51)
FRESH = unit_rows(40, 2)


class ConstantDetector:
    """Breaks the contract: calls everything equally abnormal."""

    def fit(self, x: Matrix, counts: Counts) -> Self:
        return self

    def score(self, x: Matrix) -> Vector:
        return np.full(len(x), 0.5, np.float32)

    def save(self, folder: Path) -> None:
        (folder / "constant").touch()

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls()


def check_input_unchanged(detector: Detector) -> None:
    x, counts = NORMAL.copy(), COUNTS.copy()
    detector.fit(x, counts).score(x)
    assert np.array_equal(x, NORMAL)
    assert np.array_equal(counts, COUNTS)


def check_batch_equals_rows(detector: Detector) -> None:
    detector.fit(NORMAL, COUNTS)
    rows = np.concatenate([detector.score(FRESH[i : i + 1]) for i in range(len(FRESH))])
    scores = detector.score(FRESH)
    assert (scores.shape, scores.dtype) == ((len(FRESH),), np.float32)
    np.testing.assert_allclose(scores, rows, atol=1e-6)


def check_order_is_irrelevant(detector: Detector) -> None:
    scores = detector.fit(NORMAL, COUNTS).score(FRESH)
    again = detector.fit(NORMAL[::-1], COUNTS[::-1]).score(FRESH[::-1])
    np.testing.assert_allclose(again[::-1], scores, atol=1e-6)


def check_same_input_same_scores(detector: Detector) -> None:
    first = detector.fit(NORMAL, COUNTS).score(FRESH)
    assert np.array_equal(detector.fit(NORMAL, COUNTS).score(FRESH), first)


def check_saved_is_loaded(detector: Detector, folder: Path) -> None:
    detector.fit(NORMAL, COUNTS).save(folder)
    assert np.array_equal(type(detector).load(folder).score(FRESH), detector.score(FRESH))


def check_constant_columns_are_finite(detector: Detector) -> None:
    x = np.zeros((5, D), np.float32)
    x[:, 0] = 1.0
    assert np.isfinite(detector.fit(x, np.ones(5, np.int64)).score(np.vstack([x, FRESH, x * 0]))).all()


def check_planted_anomalies_are_found(detector: Detector) -> None:
    planted = np.roll(unit_rows(20, 3), 5, axis=1)  # around another axis
    scores = detector.fit(NORMAL, COUNTS).score(np.vstack([FRESH, planted]))
    assert roc_auc(scores[: len(FRESH)], scores[len(FRESH) :]) > 0.5


def roc_auc(normal: Vector, abnormal: Vector) -> float:
    """Return the chance that an abnormal row scores above a normal one; ties count half."""
    above = abnormal[:, None] > normal[None, :]
    return float((above + 0.5 * (abnormal[:, None] == normal[None, :])).mean())


CHECKS: list[Callable[[Detector], None]] = [
    check_input_unchanged,
    check_batch_equals_rows,
    check_order_is_irrelevant,
    check_same_input_same_scores,
    check_constant_columns_are_finite,
    check_planted_anomalies_are_found,
]


@pytest.mark.parametrize("check", CHECKS)
def test_contract(check: Callable[[Detector], None]) -> None:
    check(NearestTemplate())


def test_saved_is_loaded(tmp_path: Path) -> None:
    check_saved_is_loaded(NearestTemplate(), tmp_path)


def test_the_contract_finds_a_constant_detector() -> None:
    with pytest.raises(AssertionError):
        check_planted_anomalies_are_found(ConstantDetector())


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
    with pytest.raises(ArtifactError, match=r"nearest\.safetensors is missing, expected the normal templates of a"):
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


def test_a_row_that_is_no_number_scores_as_no_number() -> None:
    assert np.isnan(NearestTemplate().fit(NORMAL, COUNTS).score(np.full((1, D), np.nan, np.float32))).all()


def test_many_rows_are_scored_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = NearestTemplate().fit(NORMAL, COUNTS)
    whole = detector.nearest(FRESH)
    monkeypatch.setattr(nearest, "CELLS", 3 * len(NORMAL))
    parts = detector.nearest(FRESH)
    assert np.array_equal(parts[0], whole[0])
    np.testing.assert_allclose(parts[1], whole[1], atol=1e-6)
