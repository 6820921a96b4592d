"""Mahalanobis distance against its definition, and with fewer rows than features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.errors import ArtifactError
from spark.models.base import Matrix
from spark.models.detectors.mahalanobis import Mahalanobis


def correlated(n: int) -> Matrix:
    """Return rows whose two features move together."""
    common, own = np.random.default_rng(4).normal(size=(2, n))
    return np.column_stack([common, common + 0.1 * own]).astype(np.float32)


def ones(x: Matrix) -> np.ndarray:
    return np.ones(len(x), np.int64)


def test_with_many_rows_it_is_the_textbook_distance() -> None:
    x = correlated(20_000)
    asked = np.array([[1.0, 1.0], [1.0, -1.0], [0.0, 0.0]], np.float32)
    precision, centred = np.linalg.inv(np.cov(x.T.astype(np.float64), bias=True)), asked - x.mean(axis=0)
    expected = np.sqrt(np.einsum("ij,jk,ik->i", centred, precision, centred))
    np.testing.assert_allclose(Mahalanobis().fit(x, ones(x)).score(asked), expected, rtol=0.03)  # shrunk a little


def test_against_the_correlation_is_farther_than_along_it() -> None:
    x = correlated(200)
    along, against = Mahalanobis().fit(x, ones(x)).score(np.array([[1, 1], [1, -1]], np.float32))
    assert against > 5 * along


def test_fewer_rows_than_features_are_enough() -> None:
    x = np.random.default_rng(1).normal(size=(10, 100)).astype(np.float32)
    scores = Mahalanobis().fit(x, ones(x)).score(np.vstack([x, x + 5]))
    assert np.isfinite(scores).all()
    assert scores[10:].min() > scores[:10].max()


def test_one_row_measures_plain_distance() -> None:
    detector = Mahalanobis().fit(np.array([[1.0, 2.0]], np.float32), np.array([7]))
    assert detector.score(np.array([[1, 2], [4, 6]], np.float32)).tolist() == [0.0, 5.0]


@given(st.integers(1, 6))
def test_a_row_seen_often_weighs_as_if_it_were_there_several_times(doublings: int) -> None:
    x = correlated(30)
    counts = ones(x)
    counts[0] = 2**doublings
    offsets = np.arange(1, doublings + 1, dtype=np.float32)[:, None] * np.float32(1e-6)  # else they are one row again
    copies = np.vstack([x, x[:1] + offsets])
    weighted = Mahalanobis().fit(x, counts).score(x)
    np.testing.assert_allclose(weighted, Mahalanobis().fit(copies, ones(copies)).score(x), rtol=1e-3)


def test_a_huge_row_scores_a_finite_number() -> None:
    x = correlated(50)
    assert np.isfinite(Mahalanobis().fit(x, ones(x)).score(np.full((1, 2), 3e38, np.float32))).all()


def test_a_file_without_its_tensors_is_refused(tmp_path: Path) -> None:
    x = correlated(5)
    Mahalanobis().fit(x, ones(x)).save(tmp_path)
    (tmp_path / "mahalanobis.safetensors").write_bytes(b"\x00" * 4)
    with pytest.raises(ArtifactError, match=r"mahalanobis\.safetensors: not a safetensors file \(.*\); train again"):
        Mahalanobis.load(tmp_path)
