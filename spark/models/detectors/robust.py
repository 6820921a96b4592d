"""Robust deviation: each feature against its own normal middle and spread; says which feature moved by how much."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Final, Self

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from faultline.errors import NotFittedError
from spark.models.base import Counts, Matrix, Vector
from spark.models.rows import Rows, check_width, read_tensors, score_rows, training_rows

MAD_TO_SPREAD: Final = 1.4826  # median absolute deviation -> standard deviation of a normal distribution
MEAN_TO_SPREAD: Final = 1.2533  # mean absolute deviation -> the same; sqrt(pi / 2)
LARGEST: Final = 1e9  # normal spreads; keeps contributions finite


class RobustDeviation:
    """Score = |log1p |z_j|| (Euclidean length over features), z_j = (x_j - median_j) / spread_j.

    spread is the scaled median absolute deviation, or the scaled mean one where half of normal time had one value
    (Iglewicz and Hoaglin 1993, How to Detect and Handle Outliers, p. 11), never 0: see `_spread`. The logarithm,
    which theirs has not, lets several features that moved weigh more than one that moved very far.
    """

    name: ClassVar[str] = "robust"

    def __init__(self) -> None:
        self._median: Rows | None = None
        self._spread: Rows | None = None

    def fit(self, x: Matrix, counts: Counts) -> Self:
        """Learn median and spread of each feature, rows weighted by counts; raises TrainingDataError."""
        rows, times = training_rows(x, counts, "RobustDeviation")
        self._median = _weighted_median(rows, times)
        self._spread = _spread(rows, times, self._median)
        return self

    def contributions(self, x: Matrix) -> Matrix:
        """Return z, float32 [n, d]: by how many normal spreads each feature lies above (+) or below (-) its middle.

        NaN counts as LARGEST. Raises ArtifactError when rows have another width than the model.
        """
        if self._median is None or self._spread is None:
            raise NotFittedError("RobustDeviation explains before it was fitted; call fit or load first")
        check_width(x, len(self._median), "RobustDeviation")
        z = (np.nan_to_num(np.asarray(x, np.float64), nan=np.inf) - self._median) / self._spread
        return np.asarray(np.clip(z, -LARGEST, LARGEST), np.float32)

    def score(self, x: Matrix) -> Vector:
        """Return float32 [n], 0 at the normal middle."""
        if self._median is None or self._spread is None:
            raise NotFittedError("RobustDeviation scores before it was fitted; call fit or load first")
        median, spread = self._median, self._spread
        return score_rows(
            x,
            len(median),
            "RobustDeviation",
            lambda rows: np.linalg.norm(np.log1p(np.abs((rows - median) / spread)), axis=1),
        )

    def save(self, folder: Path) -> None:
        """Write `robust.safetensors`."""
        if self._median is None or self._spread is None:
            raise NotFittedError("RobustDeviation is saved before it was fitted; call fit first")
        save_file({"median": self._median, "spread": self._spread}, folder / "robust.safetensors")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read `robust.safetensors`; raises ArtifactError when it is not there or not whole."""
        tensors = read_tensors(folder / "robust.safetensors", ("median", "spread"), "RobustDeviation")
        model = cls()
        model._median, model._spread = tensors["median"], tensors["spread"]
        return model


def _spread(rows: Rows, times: Counts, median: Rows) -> Rows:
    """Return the spread of each feature, never 0: float64 [d].

    As if one more row had been seen, off by the feature's own size (by 1 where that is 0): what was constant for
    long is the more surprising when it moves.
    """
    deviation = np.abs(rows - median)
    spread = MAD_TO_SPREAD * _weighted_median(deviation, times)
    mean = MEAN_TO_SPREAD * np.average(deviation, axis=0, weights=times)
    spread = np.where(spread > 0, spread, mean)
    size, n = np.where(median == 0, 1.0, np.abs(median)), float(times.sum())
    return np.asarray(np.sqrt((n * spread**2 + size**2) / (n + 1.0)), np.float64)


def _weighted_median(rows: Rows, times: Counts) -> Rows:
    """Return the lower median of each column, each row counted `times` times: float64 [d]."""
    order = np.argsort(rows, axis=0, kind="stable")
    reached = np.cumsum(times[order], axis=0) * 2 >= times.sum()
    return np.asarray(np.take_along_axis(rows, order, axis=0)[reached.argmax(axis=0), _columns(rows)], np.float64)


def _columns(rows: Rows) -> npt.NDArray[np.int64]:
    return np.arange(rows.shape[1])
