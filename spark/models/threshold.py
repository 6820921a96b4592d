"""Conformal threshold: from a false-alarm budget to a decision, with no constant to tune."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from faultline.errors import TrainingDataError
from spark.models.base import Counts, Vector


@dataclass(frozen=True)
class ConformalThreshold:
    """Split-conformal p-values (Vovk et al. 2005; Laxhammar 2014 for anomaly detection).

    p(s) = (1 + number of held-out normal lines scoring >= s) / (1 + number of held-out normal lines). Under
    exchangeability a normal line has p <= a with probability at most a. `alpha` is the budget: false alarms a day
    over lines a day. No p-value lies below 1 / (n + 1): with too little held-out time for the budget the threshold
    is "higher than anything seen", and `expected_per_day` says what that costs.
    """

    scores: npt.NDArray[np.float32]  # distinct, ascending
    at_least: npt.NDArray[np.int64]  # held-out lines scoring at least scores[i]
    lines: int
    alpha: float
    lines_per_day: float

    @classmethod
    def fit(cls, scores: Vector, counts: Counts, *, budget_per_day: float, lines_per_day: float) -> Self:
        """Calibrate on held-out normal scores [n], each seen counts[n] times.

        Raises TrainingDataError when there is no line or a score is not finite.
        """
        if len(scores) == 0 or counts.sum() == 0:
            raise TrainingDataError(
                "no held-out line to calibrate on, expected at least one; watch normal time for longer"
            )
        if not np.isfinite(scores).all():
            raise TrainingDataError("held-out scores hold NaN or infinity, expected finite numbers")
        distinct, position = np.unique(scores.astype(np.float32), return_inverse=True)
        seen = np.bincount(position, weights=counts).astype(np.int64)
        at_least = seen[::-1].cumsum()[::-1].copy()
        alpha = min(1.0, budget_per_day / max(lines_per_day, budget_per_day))
        return cls(distinct, at_least, int(seen.sum()), alpha, lines_per_day)

    @property
    def level(self) -> float:
        """The p-value at or below which a line is called abnormal."""
        return max(self.alpha, 1.0 / (self.lines + 1))

    @property
    def expected_per_day(self) -> float:
        """False alarms a day this threshold may cost; above the budget when held-out time was short."""
        return self.level * self.lines_per_day

    def p_values(self, scores: Vector) -> npt.NDArray[np.float64]:
        """Return float64 [n] in (0, 1]; a NaN score is as abnormal as can be."""
        index = np.searchsorted(self.scores, np.asarray(scores, np.float32), side="left")
        padded = np.append(self.at_least, 0)
        return np.asarray((1.0 + padded[index]) / (1.0 + self.lines), np.float64)

    def is_anomaly(self, scores: Vector) -> npt.NDArray[np.bool_]:
        """Return bool [n]: p-value at or below `level`."""
        return np.asarray(self.p_values(scores) <= self.level)

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "scores": [float(score) for score in self.scores],
            "at_least": self.at_least.tolist(),
            "lines": self.lines,
            "alpha": self.alpha,
            "lines_per_day": self.lines_per_day,
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(
            np.array(state["scores"], np.float32),
            np.array(state["at_least"], np.int64),
            int(state["lines"]),
            float(state["alpha"]),
            float(state["lines_per_day"]),
        )
