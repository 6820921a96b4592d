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

    p(s) = (1 + number of held-out normal units scoring >= s) / (1 + number of held-out normal units); a unit is what
    is alarmed on, see calibration.py. Under exchangeability a normal unit has p <= a with probability at most a.
    `alpha` is the budget: false alarms a day over units a day. No p-value lies below 1 / (n + 1): with too little
    held-out time for the budget the threshold is "higher than anything seen", and `bound_per_day` says what that
    may cost.
    """

    scores: npt.NDArray[np.float32]  # distinct, ascending
    at_least: npt.NDArray[np.int64]  # held-out units scoring at least scores[i]
    units: int
    alpha: float
    units_per_day: float

    @classmethod
    def fit(cls, scores: Vector, counts: Counts, *, budget_per_day: float, units_per_day: float) -> Self:
        """Calibrate on held-out normal scores [n], each seen counts[n] times.

        Raises TrainingDataError when there is no unit or a score is not finite.
        """
        if len(scores) == 0 or counts.sum() == 0:
            raise TrainingDataError(
                "nothing held out to calibrate on, expected some seconds of normal time; watch normal time for longer"
            )
        if not np.isfinite(scores).all():
            raise TrainingDataError("held-out scores hold NaN or infinity, expected finite numbers")
        distinct, position = np.unique(scores.astype(np.float32), return_inverse=True)
        seen = np.bincount(position, weights=counts).astype(np.int64)
        at_least = seen[::-1].cumsum()[::-1].copy()
        alpha = min(1.0, budget_per_day / max(units_per_day, budget_per_day))
        return cls(distinct, at_least, int(seen.sum()), alpha, units_per_day)

    @property
    def level(self) -> float:
        """The p-value at or below which a score is called abnormal."""
        return max(self.alpha, 1.0 / (self.units + 1))

    @property
    def bound_per_day(self) -> float:
        """False alarms a day that are not ruled out; above the budget when held-out time was short."""
        return self.level * self.units_per_day

    def p_values(self, scores: Vector) -> npt.NDArray[np.float64]:
        """Return float64 [n] in (0, 1]; a NaN score is as abnormal as can be."""
        index = np.searchsorted(self.scores, np.asarray(scores, np.float32), side="left")
        padded = np.append(self.at_least, 0)
        return np.asarray((1.0 + padded[index]) / (1.0 + self.units), np.float64)

    def surprise(self, scores: Vector) -> npt.NDArray[np.float64]:
        """Return -log10 p, float64 [n], finite, and still rising above the highest held-out score.

        Up there p knows nothing more, so that every fault would tie. The tail is continued as a Pareto one of index 1,
        log10(1 + (s - highest) / scale), scale = highest - median: slow enough that no detector with narrow scores
        drowns the others, and one decade means about as much for each. It orders; beyond the held-out time it is no
        probability, and `is_anomaly` does not use it. NaN counts as the largest score there is.
        """
        largest = float(np.finfo(np.float32).max)
        s = np.nan_to_num(np.asarray(scores, np.float64), nan=largest, posinf=largest)
        highest, median = float(self.scores[-1]), float(self.scores[np.sum(2 * self.at_least >= self.units) - 1])
        scale = highest - median or abs(highest) or 1.0
        return np.asarray(
            -np.log10(self.p_values(scores)) + np.log1p(np.maximum(s - highest, 0.0) / scale) / np.log(10)
        )

    def is_anomaly(self, scores: Vector) -> npt.NDArray[np.bool_]:
        """Return bool [n]: p-value at or below `level`, and below 1: what scores like any normal line is normal."""
        p_values = self.p_values(scores)
        return np.asarray((p_values <= self.level) & (p_values < 1.0))

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "scores": [float(score) for score in self.scores],
            "at_least": self.at_least.tolist(),
            "units": self.units,
            "alpha": self.alpha,
            "units_per_day": self.units_per_day,
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(
            np.array(state["scores"], np.float32),
            np.array(state["at_least"], np.int64),
            int(state["units"]),
            float(state["alpha"]),
            float(state["units_per_day"]),
        )
