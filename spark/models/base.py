"""The two interfaces every model keeps: a detector gives scores, a threshold turns them into decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]
Vector = npt.NDArray[np.float32]
Counts = npt.NDArray[np.int64]


class Detector(Protocol):
    """Scores rows: x float32 [n, d] -> float32 [n], higher = more anomalous.

    A NaN or an infinity raises TrainingDataError in `fit` and scores high in `score`: finite or +inf, never normal.
    """

    name: ClassVar[str]  # how configuration, reports and stored models call it

    def fit(self, x: Matrix, counts: Counts) -> Self:
        """Learn from normal rows; `counts` says how often each was seen."""
        ...

    def score(self, x: Matrix) -> Vector:
        """Return one score a row; raises NotFittedError before `fit` or `load`."""
        ...

    def save(self, folder: Path) -> None:
        """Write the state as safetensors or JSON."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; raises ArtifactError when it is not there."""
        ...


class Threshold(Protocol):
    """Decides from scores of held-out normal time; the same rule for every detector."""

    def p_values(self, scores: Vector) -> npt.NDArray[np.float64]:
        """Return how often normal time scores at least so high: float64 [n] in (0, 1]."""
        ...

    def is_anomaly(self, scores: Vector) -> npt.NDArray[np.bool_]:
        """Return bool [n]."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return the state as plain JSON values."""
        ...
