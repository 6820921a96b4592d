"""Nearest normal template: how far a template's meaning lies from the nearest one seen in normal time."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Final, Self

import numpy as np
from safetensors.numpy import save_file

from faultline.errors import NotFittedError, TrainingDataError
from spark.models.base import Counts, Matrix, Vector
from spark.models.rows import check_width, read_tensors

# Below this a distance is float noise: the same text embedded in two batch shapes differs by some 1e-6.
SAME: Final = 1e-4
CELLS: Final = 4_000_000  # distances held at a time: 16 MB, however many lines and templates there are


class NearestTemplate:
    """Score = min over normal rows u of (1 - cos(x, u)) * (1 + 1 / (1 + count(u))).

    A row seen in normal time scores 0, however rare; for others a neighbour seen once counts as 1.5 times as far
    as one seen often. Only directions count, so scores lie in [0, 3]. One score costs n_normal * d multiplications.
    """

    name: ClassVar[str] = "nearest"

    def __init__(self) -> None:
        self._normal: Matrix | None = None
        self._rarity: Vector | None = None

    def fit(self, x: Matrix, counts: Counts) -> Self:
        """Keep the normal rows and how often each was seen; raises TrainingDataError when there is none."""
        if len(x) == 0:
            raise TrainingDataError("no template to learn from, expected at least one line of normal time")
        if not np.isfinite(x).all():
            raise TrainingDataError("embeddings hold NaN or infinity, expected finite numbers")
        self._normal = _directions(x)
        self._rarity = (1.0 + 1.0 / (1.0 + counts)).astype(np.float32)
        return self

    @property
    def normal(self) -> Matrix:
        """The normal rows, float32 [k, d]; raises NotFittedError before `fit` or `load`."""
        if self._normal is None:
            raise NotFittedError("NearestTemplate has no normal rows yet; call fit or load first")
        return self._normal

    def rarity_of(self, index: int) -> float:
        """Return the factor by which a normal row's rarity raises a distance, in (1, 2]."""
        if self._rarity is None:
            raise NotFittedError("NearestTemplate has no normal rows yet; call fit or load first")
        return float(self._rarity[index])

    def score(self, x: Matrix) -> Vector:
        """Return float32 [n]."""
        return self.nearest(x)[1]

    def nearest(self, x: Matrix) -> tuple[Counts, Vector]:
        """Return for each row the index of the normal row that explains it best, and the score.

        A row with NaN or infinity scores +inf, its index means nothing. Raises ArtifactError when rows have another
        width than those of normal time.
        """
        if self._normal is None or self._rarity is None:
            raise NotFittedError("NearestTemplate scores before it was fitted; call fit or load first")
        check_width(x, self._normal.shape[1], "NearestTemplate")
        if len(x) == 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        rows = max(1, CELLS // len(self._normal))
        parts = [_nearest(x[at : at + rows], self._normal, self._rarity) for at in range(0, len(x), rows)]
        return np.concatenate([index for index, _ in parts]), np.concatenate([score for _, score in parts])

    def save(self, folder: Path) -> None:
        """Write `nearest.safetensors`."""
        if self._normal is None or self._rarity is None:
            raise NotFittedError("NearestTemplate is saved before it was fitted; call fit first")
        save_file({"normal": self._normal, "rarity": self._rarity}, folder / "nearest.safetensors")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read `nearest.safetensors`; raises ArtifactError when it is not there or not whole."""
        tensors = read_tensors(folder / "nearest.safetensors", ("normal", "rarity"), "NearestTemplate")
        model = cls()
        model._normal, model._rarity = tensors["normal"], tensors["rarity"]
        return model


def _nearest(x: Matrix, normal: Matrix, rarity: Vector) -> tuple[Counts, Vector]:
    known = np.asarray(np.isfinite(x).all(axis=1))
    distance = 1.0 - _directions(np.where(known.reshape(-1, 1), x, np.float32(0.0))) @ normal.T
    cost = np.where(distance < SAME, 0.0, distance) * rarity
    index = np.argmin(cost, axis=1)
    return index, np.where(known, cost[np.arange(len(x)), index], np.inf).astype(np.float32)


def _directions(x: Matrix) -> Matrix:
    """Return rows of length 1, in float64 on the way: squares of large numbers overflow float32; 0 stays 0."""
    wide = np.asarray(x, np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.ascontiguousarray(np.divide(wide, lengths, out=np.zeros_like(wide), where=lengths > 0), np.float32)
