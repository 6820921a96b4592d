"""The classic: an autoencoder with one narrow layer; what it cannot reproduce, it has not seen."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import numpy as np
from safetensors.numpy import save_file

from faultline.errors import NotFittedError
from spark.models.base import Counts, Matrix, Vector
from spark.models.rows import Rows, Tensors, frequency_weight, read_tensors, score_rows, training_rows

SEED: Final = 0
NARROWING: Final = 6  # 384 features are squeezed through 64, the width of published log autoencoders
WIDEST: Final = 64
BATCH: Final = 32
STEPS: Final = 1000  # gradient steps at least, 0.7 s at 384 features: some 50 templates are then reproduced exactly
EPOCHS: Final = 20  # passes at least, so that many rows are all learned from
CLIP: Final = 1e6  # normal spreads; keeps squares finite
_PARTS: Final = ("mean", "scale", "in_weights", "in_bias", "out_weights", "out_bias")


class Autoencoder:
    """Score = mean over features of (x - decode(encode(x)))^2, features standardised.

    d -> min(64, d / 6) -> d with ReLU (Hinton and Salakhutdinov 2006, doi 10.1126/science.1127647; theirs is deeper),
    Adam, a fixed seed. Trained by scikit-learn; the weights are kept as safetensors and used with numpy.
    """

    name: ClassVar[str] = "autoencoder"

    def __init__(self) -> None:
        self._state: Tensors = {}

    def fit(self, x: Matrix, counts: Counts) -> Self:
        """Train on distinct rows weighted by 1 + log2(count); raises TrainingDataError for unusable rows."""
        rows, times = training_rows(x, counts, "Autoencoder")
        weights = frequency_weight(times)
        mean = np.average(rows, axis=0, weights=weights)
        spread = np.sqrt(np.average((rows - mean) ** 2, axis=0, weights=weights))
        scale = np.where(spread > 1e-6 * np.maximum(1.0, np.abs(mean)), spread, 1.0)  # else float noise is a feature
        network = _train((rows - mean) / scale, weights)
        arrays = (mean, scale, network.coefs_[0], network.intercepts_[0], network.coefs_[1], network.intercepts_[1])
        self._state = {name: np.ascontiguousarray(array) for name, array in zip(_PARTS, arrays, strict=True)}
        return self

    def score(self, x: Matrix) -> Vector:
        """Return the mean squared reconstruction error, float32 [n]."""
        if not self._state:
            raise NotFittedError("Autoencoder scores before it was fitted; call fit or load first")
        return score_rows(x, len(self._state["mean"]), "Autoencoder", self._error)

    def _error(self, rows: Rows) -> Rows:
        s = self._state
        z = np.clip((rows - s["mean"]) / s["scale"], -CLIP, CLIP)
        hidden = np.maximum(z @ s["in_weights"] + s["in_bias"], 0.0)
        return np.asarray(((hidden @ s["out_weights"] + s["out_bias"] - z) ** 2).mean(axis=1), np.float64)

    def save(self, folder: Path) -> None:
        """Write `autoencoder.safetensors`."""
        if not self._state:
            raise NotFittedError("Autoencoder is saved before it was fitted; call fit first")
        save_file(self._state, folder / "autoencoder.safetensors")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read `autoencoder.safetensors`; raises ArtifactError when it is not there or not whole."""
        model = cls()
        model._state = read_tensors(folder / "autoencoder.safetensors", _PARTS, "Autoencoder")
        return model


def _train(z: Rows, weights: Rows) -> Any:
    """Return scikit-learn's network after STEPS steps or EPOCHS passes; it stops there, converged or not."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    n, d = z.shape
    batch = min(BATCH, n)
    epochs = max(EPOCHS, STEPS * batch // n)
    network = MLPRegressor(
        hidden_layer_sizes=(max(1, min(WIDEST, d // NARROWING)),),
        batch_size=batch,
        max_iter=epochs,
        n_iter_no_change=epochs,
        random_state=SEED,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return network.fit(z, z if d > 1 else z.ravel(), sample_weight=weights)  # of one column it wants a vector
