"""Autoencoder: narrow in the middle, exact to scikit-learn, high error on what it never saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from spark.models.detectors import autoencoder
from spark.models.detectors.autoencoder import Autoencoder


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autoencoder, "STEPS", 100)


@pytest.mark.parametrize(("width", "middle"), [(384, 64), (512, 64), (60, 10), (5, 1), (1, 1)])
def test_the_middle_is_a_sixth_and_64_at_most(tmp_path: Path, width: int, middle: int) -> None:
    x = np.random.default_rng(0).normal(size=(8, width)).astype(np.float32)
    Autoencoder().fit(x, np.ones(8, np.int64)).save(tmp_path)
    weights = load_file(tmp_path / "autoencoder.safetensors")
    assert (weights["in_weights"].shape, weights["out_weights"].shape) == ((width, middle), (middle, width))


def test_the_forward_pass_is_that_of_the_trained_network(monkeypatch: pytest.MonkeyPatch) -> None:
    trained, train = [], autoencoder._train
    monkeypatch.setattr(autoencoder, "_train", lambda z, weights: trained.append(train(z, weights)) or trained[0])
    x = np.random.default_rng(1).normal(3.0, 2.0, (40, 12)).astype(np.float32)
    detector = Autoencoder().fit(x, np.ones(40, np.int64))
    z = (x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)) / x.std(axis=0, dtype=np.float64)
    expected = ((trained[0].predict(z) - z) ** 2).mean(axis=1)
    np.testing.assert_allclose(detector.score(x), expected, rtol=1e-5)


def test_rows_of_another_pattern_are_reproduced_badly() -> None:
    rng = np.random.default_rng(2)
    pattern, other = rng.normal(size=(2, 24))
    x = np.outer(rng.normal(size=200), pattern).astype(np.float32)
    detector = Autoencoder().fit(x, np.ones(200, np.int64))
    odd = np.outer(rng.normal(size=20), other).astype(np.float32)
    assert np.median(detector.score(odd)) > 10 * np.median(detector.score(x))


def test_float_noise_is_no_feature() -> None:
    x = np.ones((20, 6), np.float32)
    x[:, 0] = np.linspace(0, 1, 20)
    x[::2, 1] += np.float32(1e-7)
    detector = Autoencoder().fit(x, np.ones(20, np.int64))
    assert detector.score(x).max() < 3


def test_a_huge_row_scores_a_finite_number() -> None:
    x = np.random.default_rng(3).normal(size=(20, 6)).astype(np.float32)
    scores = Autoencoder().fit(x, np.ones(20, np.int64)).score(np.full((1, 6), 3e38, np.float32))
    assert np.isfinite(scores).all()
    assert scores[0] > 1e6


def test_many_rows_are_passed_several_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autoencoder, "STEPS", 1)
    network = autoencoder._train(np.random.default_rng(4).normal(size=(100, 6)), np.ones(100))
    assert network.n_iter_ == autoencoder.EPOCHS
