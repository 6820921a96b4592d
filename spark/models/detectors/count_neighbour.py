"""Nearest normal count vector: a count that never varies in normal time weighs more than one that does."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Final, Self
from zlib import crc32

import numpy as np
from safetensors.numpy import save_file

from faultline.errors import NotFittedError
from spark.models.base import Counts, Matrix, Vector
from spark.models.rows import Rows, read_tensors, score_rows, training_rows

MAX_ROWS: Final = 4096  # distinct normal rows kept; bounds the cost of one score
CELLS: Final = 4_000_000  # distances held at a time: 32 MB
ONE_COUNT: Final = float(np.log(2.0))  # from no line to one, on the logarithmic scale


class CountNeighbour:
    """Score = min over normal rows u of sum_j |log1p(x_j) - log1p(u_j)| / spread_j, for features of 0 and more.

    spread_j^2 = (n * variance_j + log(2)^2) / (n + 1) over n normal rows: as if one more row had been seen that is one
    count away. So a count that was constant over much normal time weighs most, and no constant needs tuning. After
    the count vectors of Xu et al. 2009 (doi 10.1145/1629575.1629587), which look at the residual of a PCA instead.
    """

    name: ClassVar[str] = "count_neighbour"

    def __init__(self) -> None:
        self._normal: Rows | None = None
        self._weight: Rows | None = None

    def fit(self, x: Matrix, counts: Counts) -> Self:
        """Keep the distinct normal rows, MAX_ROWS at most, most frequent first; raises TrainingDataError."""
        rows, times = training_rows(x, counts, "CountNeighbour")
        logs, n = _log(rows), int(times.sum())
        variance = np.average((logs - np.average(logs, axis=0, weights=times)) ** 2, axis=0, weights=times)
        self._weight = 1.0 / np.sqrt((n * variance + ONE_COUNT**2) / (n + 1))
        # Among rows seen equally often the checksum chooses: a sample, and the same one in any order.
        order = sorted(range(len(rows)), key=lambda i: (-times[i], crc32(rows[i].tobytes())))[:MAX_ROWS]
        self._normal = np.ascontiguousarray(logs[sorted(order)] * self._weight)
        return self

    def score(self, x: Matrix) -> Vector:
        """Return the weighted distance to the nearest normal row, float32 [n]; 0 for a row seen in normal time."""
        if self._normal is None:
            raise NotFittedError("CountNeighbour scores before it was fitted; call fit or load first")
        return score_rows(x, self._normal.shape[1], "CountNeighbour", lambda rows: self._search(rows)[1])

    def nearest(self, x: Matrix) -> tuple[Matrix, Vector]:
        """Return the nearest normal row of each row, float32 [n, d] in counts, and the score; x must be finite."""
        scores = self.score(x)
        assert self._normal is not None and self._weight is not None  # else score raised  # noqa: S101
        index, _ = self._search(np.asarray(x, np.float64))
        logs = self._normal[index] / self._weight
        return np.asarray(np.sign(logs) * np.expm1(np.abs(logs)), np.float32), scores

    def deviations(self, x: Matrix, usual: Matrix) -> Matrix:
        """Return what each count adds to the distance from `usual`, float32 [n, d]: above 0 where x has more."""
        if self._weight is None:
            raise NotFittedError("CountNeighbour explains before it was fitted; call fit or load first")
        logs = _log(np.asarray(x, np.float64)) - _log(np.asarray(usual, np.float64))
        return np.asarray(logs * self._weight, np.float32)

    def _search(self, rows: Rows) -> tuple[Counts, Rows]:
        from scipy.spatial.distance import cdist

        assert self._normal is not None and self._weight is not None  # noqa: S101
        weighted, step = _log(rows) * self._weight, max(1, CELLS // len(self._normal))
        index, best = np.empty(len(rows), np.int64), np.empty(len(rows))
        for at in range(0, len(rows), step):
            distance = cdist(weighted[at : at + step], self._normal, "cityblock")
            index[at : at + step] = distance.argmin(axis=1)
            best[at : at + step] = distance.min(axis=1)
        return index, best

    def save(self, folder: Path) -> None:
        """Write `count_neighbour.safetensors`."""
        if self._normal is None or self._weight is None:
            raise NotFittedError("CountNeighbour is saved before it was fitted; call fit first")
        save_file({"normal": self._normal, "weight": self._weight}, folder / "count_neighbour.safetensors")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read `count_neighbour.safetensors`; raises ArtifactError when it is not there or not whole."""
        tensors = read_tensors(folder / "count_neighbour.safetensors", ("normal", "weight"), "CountNeighbour")
        model = cls()
        model._normal, model._weight = tensors["normal"], tensors["weight"]
        return model


def _log(rows: Rows) -> Rows:
    """Return log1p, mirrored for negative numbers: they are no counts, but far from any."""
    return np.asarray(np.sign(rows) * np.log1p(np.abs(rows)), np.float64)
