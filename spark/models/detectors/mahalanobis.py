"""Mahalanobis distance to the middle of normal rows, with a covariance that few rows suffice for."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Final, Self

import numpy as np
from safetensors.numpy import save_file

from faultline.errors import NotFittedError
from spark.models.base import Counts, Matrix, Vector
from spark.models.rows import Rows, frequency_weight, read_tensors, score_rows, training_rows

FLOOR: Final = (
    1e-6  # of the mean variance: a direction normal time never moved in counts a thousandfold, not infinitely
)


class Mahalanobis:
    """Score = |W (x - mean)| with W'W the inverse of the shrunk covariance (Ledoit and Wolf 2004).

    Shrinkage (doi 10.1016/S0047-259X(03)00096-4) makes the covariance invertible with fewer rows than features, as
    with 60 templates in 384 dimensions. Fitting costs d^3, one score d^2.
    """

    name: ClassVar[str] = "mahalanobis"

    def __init__(self) -> None:
        self._mean: Rows | None = None
        self._whitening: Rows | None = None

    def fit(self, x: Matrix, counts: Counts) -> Self:
        """Learn middle and covariance; rows weigh 1 + log2(count). Raises TrainingDataError for unusable rows."""
        rows, times = training_rows(x, counts, "Mahalanobis")
        repeated = np.repeat(rows, np.round(frequency_weight(times)).astype(np.int64), axis=0)
        self._mean = repeated.mean(axis=0)
        self._whitening = _whitening(_covariance(repeated - self._mean))
        return self

    def score(self, x: Matrix) -> Vector:
        """Return the distance, float32 [n], in units of normal spread."""
        if self._mean is None or self._whitening is None:
            raise NotFittedError("Mahalanobis scores before it was fitted; call fit or load first")
        mean, whitening = self._mean, self._whitening
        return score_rows(x, len(mean), "Mahalanobis", lambda rows: np.linalg.norm((rows - mean) @ whitening, axis=1))

    def save(self, folder: Path) -> None:
        """Write `mahalanobis.safetensors`."""
        if self._mean is None or self._whitening is None:
            raise NotFittedError("Mahalanobis is saved before it was fitted; call fit first")
        save_file({"mean": self._mean, "whitening": self._whitening}, folder / "mahalanobis.safetensors")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read `mahalanobis.safetensors`; raises ArtifactError when it is not there or not whole."""
        tensors = read_tensors(folder / "mahalanobis.safetensors", ("mean", "whitening"), "Mahalanobis")
        model = cls()
        model._mean, model._whitening = tensors["mean"], tensors["whitening"]
        return model


def _covariance(centred: Rows) -> Rows:
    """Return the shrunk covariance [d, d]; unit variance everywhere when all rows are the same."""
    from sklearn.covariance import ledoit_wolf

    if not centred.any():
        return np.eye(centred.shape[1])
    covariance, _ = ledoit_wolf(centred, assume_centered=True)
    return np.asarray(covariance, np.float64)


def _whitening(covariance: Rows) -> Rows:
    """Return W [d, d] so that |x W| is the distance of a row x from the middle."""
    values, vectors = np.linalg.eigh(covariance)
    return np.ascontiguousarray(vectors / np.sqrt(np.maximum(values, FLOOR * values.mean())))
