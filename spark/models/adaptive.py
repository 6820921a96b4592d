"""A threshold that follows drift, learns nothing from a burst of anomalies, and accepts what stays."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from functools import lru_cache
from math import ceil, floor, isfinite
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from faultline.errors import ArtifactError, ConfigError
from spark.models.base import Vector
from spark.models.threshold import ConformalThreshold

# Largest share of flagged units in the reservoir, in budgets. One budget of them is normal time itself, the second lets
# the threshold rise again after it fell by chance; with one alone, false alarms settle at twice the budget.
MAX_SHARE: Final = 2.0
# A flagged unit enters at most so far above the threshold, in distances of threshold and median: see `_admit`.
MAX_RISE: Final = 0.25
CALM: Final = 0.999  # chance that as few flagged units as `calm_limit` come of normal time


class AdaptiveThreshold:
    """ConformalThreshold over a sliding reservoir of the last `capacity` units that were not called abnormal.

    Inductive conformal anomaly detection with a sliding calibration set (Laxhammar 2014, ch. 5; Vovk et al. 2005,
    ch. 4), unit by unit, with three differences. (1) Guard: a flagged unit enters with at most a bounded score and a
    bounded share, as Winsor would (Tukey 1962, doi 10.1214/aoms/1177704711); left out altogether, its place in the
    tail is missed, the threshold sinks and false alarms multiply. (2) Recovery: flagged units wait in quarantine. After
    `recovery_units` of them with no calm in between they are the new normal and take over the reservoir; calm empties
    the quarantine. (3) The p-values are exchangeable only while nothing drifts: the long-run rate is held by feedback,
    close to the budget, not by the theorem.

    One unit costs O(log n) comparisons and a shift of the sorted reservoir. State is bounded by capacity + 2 *
    recovery_units numbers; no clock and no chance: the same scores give the same state, in batches of any size.
    """

    def __init__(self, base: ConformalThreshold, *, capacity: int, recovery_units: int) -> None:
        """Start from a calibrated threshold; of more held-out units than `capacity` an even sample is kept."""
        for key, value in (("capacity", capacity), ("recovery_units", recovery_units)):
            if value < 1:
                raise ConfigError(key, value, "a whole number of units, 1 or more")
        self.alpha, self.units_per_day = base.alpha, base.units_per_day
        self.capacity, self.recovery_units = capacity, recovery_units
        self._reservoir: deque[tuple[float, bool]] = deque((score, False) for score in _sample(base, capacity))
        self._recent: deque[bool] = deque(maxlen=recovery_units)
        self._quarantine: list[float] = []
        self._index()
        self._rise = self._new_rise()

    def _index(self) -> None:
        self._sorted = sorted(score for score, _ in self._reservoir)
        self._admitted = sum(flagged for _, flagged in self._reservoir)
        self._flagged_recently = sum(self._recent)

    @property
    def current(self) -> ConformalThreshold:
        """The threshold as it stands: p-values, decision, surprise and what the budget is worth now."""
        scores = np.array(self._sorted, np.float32)
        per_day = self.alpha * self.units_per_day
        fitted = ConformalThreshold.fit(
            scores, np.ones(len(scores), np.int64), budget_per_day=per_day, units_per_day=self.units_per_day
        )
        return ConformalThreshold(fitted.scores, fitted.at_least, fitted.units, self.alpha, self.units_per_day)

    @property
    def level(self) -> float:
        """The p-value at or below which a unit is called abnormal now."""
        return max(self.alpha, 1.0 / (len(self._sorted) + 1))

    def p_values(self, scores: Vector) -> npt.NDArray[np.float64]:
        """Return float64 [n] in (0, 1] against the reservoir as it stands; learns nothing."""
        return self.current.p_values(scores)

    def is_anomaly(self, scores: Vector) -> npt.NDArray[np.bool_]:
        """Return bool [n] against the reservoir as it stands; learns nothing."""
        return self.current.is_anomaly(scores)

    def update(self, scores: Vector) -> npt.NDArray[np.bool_]:
        """Decide each unit in turn and learn from it: bool [n]. NaN counts as infinity, which is never learned."""
        floats = np.nan_to_num(np.asarray(scores, np.float32), nan=np.inf, posinf=np.inf).tolist()
        return np.array([self._step(score) for score in floats], np.bool_)

    def _step(self, score: float) -> bool:
        n = len(self._sorted)
        p_value = (1 + n - bisect_left(self._sorted, score)) / (1 + n)
        flagged = p_value <= self.level and p_value < 1.0
        self._remember(flagged)
        if flagged:
            self._quarantine.append(score)
            self._admit(score)
        else:
            self._push(score, flagged=False)
        if self._flagged_recently <= calm_limit(self.recovery_units, self.level):
            self._quarantine.clear()
        elif len(self._quarantine) >= self.recovery_units:
            self._recover()
        return flagged

    def _remember(self, flagged: bool) -> None:
        if len(self._recent) == self.recovery_units:
            self._flagged_recently -= self._recent[0]
        self._recent.append(flagged)
        self._flagged_recently += flagged

    def _admit(self, score: float) -> None:
        """Let a flagged unit in while there are few of them, and no higher than a step above the threshold.

        So normal time keeps its tail and a slow drift is followed, while a fault, however often it is repeated and
        however high it scores, lifts the threshold by no more than about two such steps.
        """
        if self._admitted < max(1, ceil(MAX_SHARE * self.level * len(self._sorted))):
            self._push(min(score, float(np.float32(self._highest_normal() + self._rise))), flagged=True)

    def _highest_normal(self) -> float:
        """Return the highest score in the reservoir that is not called abnormal."""
        n = len(self._sorted)
        above = max(0, floor(self.level * (n + 1)) - 1)
        return self._sorted[max(0, n - 1 - above)]

    def _new_rise(self) -> float:
        """Return how far above the threshold a flagged unit may enter; of the whole tail where half scores alike.

        Set at the start and after a recovery only: it must not shrink to nothing together with the threshold.
        """
        median = self._sorted[len(self._sorted) // 2]
        return MAX_RISE * ((self._highest_normal() - median) or (self._sorted[-1] - median))

    def _recover(self) -> None:
        """Begin anew with the quarantine: among older units its scores would lie in the tail, at some levels for ever.

        Infinite ones are left out: what cannot be judged never becomes normal.
        """
        kept = [score for score in self._quarantine if isfinite(score)][-self.capacity :]
        if kept:
            self._reservoir = deque((score, False) for score in kept)
        self._quarantine.clear()
        self._recent.clear()
        self._index()
        self._rise = self._new_rise()

    def _push(self, score: float, *, flagged: bool) -> None:
        self._reservoir.append((score, flagged))
        insort(self._sorted, score)
        self._admitted += flagged
        if len(self._reservoir) > self.capacity:
            self._drop()

    def _drop(self) -> None:
        score, flagged = self._reservoir.popleft()
        del self._sorted[bisect_left(self._sorted, score)]
        self._admitted -= flagged

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON values; infinite scores in quarantine become null."""
        return {
            "alpha": self.alpha,
            "units_per_day": self.units_per_day,
            "capacity": self.capacity,
            "recovery_units": self.recovery_units,
            "rise": self._rise,
            "scores": [score for score, _ in self._reservoir],
            "admitted": [place for place, (_, flagged) in enumerate(self._reservoir) if flagged],
            "recent": [int(flagged) for flagged in self._recent],
            "quarantine": [score if isfinite(score) else None for score in self._quarantine],
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        """Read what `to_json` wrote; raises ArtifactError when it is something else."""
        try:
            model = cls.__new__(cls)
            model.alpha, model.units_per_day = float(state["alpha"]), float(state["units_per_day"])
            model.capacity, model.recovery_units = int(state["capacity"]), int(state["recovery_units"])
            model._rise = float(state["rise"])
            admitted = set(state["admitted"])
            model._reservoir = deque((float(score), i in admitted) for i, score in enumerate(state["scores"]))
            model._recent = deque(map(bool, state["recent"]), maxlen=model.recovery_units)
            model._quarantine = [np.inf if score is None else float(score) for score in state["quarantine"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"adaptive threshold: {error!r}, expected what to_json wrote; train again") from error
        model._index()
        return model


@lru_cache(maxsize=65_536)
def calm_limit(units: int, level: float) -> int:
    """Return how many of `units` normal units are flagged at most, by chance, with probability CALM.

    >>> calm_limit(360, 0.01)
    11
    """
    from scipy.stats import binom

    return int(binom.ppf(CALM, units, min(level, 1.0)))


def _sample(base: ConformalThreshold, capacity: int) -> list[float]:
    """Return the held-out scores, each as often as seen, or `capacity` of them at even ranks; in a fixed shuffle.

    Shuffled, because what comes first leaves first: sorted, the low scores would be gone before the high ones.
    """
    size = min(base.units, capacity)
    ranks = (np.arange(size) + 0.5) * base.units / size  # from the lowest score
    reached = base.units - np.append(base.at_least[1:], 0)  # units scoring at most scores[i]
    scores = base.scores[np.searchsorted(reached, ranks, side="left")]
    return [float(score) for score in np.random.default_rng(0).permutation(scores)]
