"""Follow slow change of what is normal without learning from anomalies, and recover from a lasting one.

Deviations of windows that were called normal move the expected value slowly (an exponentially weighted mean, of which
abnormal windows are kept out: the guard). When most windows of a recovery time were abnormal, the change is permanent,
a new release or twice the customers, and what was seen lately becomes normal: no service stays abnormal for ever.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
RECOVERY_SECONDS: Final = 3600.0  # an incident that people do not end within an hour is how it is now
# After t seconds of nothing but abnormal windows a mean with time constant T holds 1 - exp(-t / T) of them.
_TIME_CONSTANT: Final = RECOVERY_SECONDS / float(np.log(2))
FOLLOWED: Final = 3.0  # a greater deviation moves the expected value no more than this one: it may be an anomaly


class Drift(msgspec.Struct):
    """Of one service, d features: what to take off a deviation, and by what to divide it."""

    shift: list[float]
    spread: list[float]
    recent: list[float]  # weighted mean of the last deviations, abnormal ones too
    recent_spread: list[float]  # and of their distance from it
    abnormal_share: float = 0.0

    @classmethod
    def none(cls, features: int) -> Drift:
        """Return no drift."""
        zeros = [0.0] * features
        return cls(zeros, [1.0] * features, zeros, zeros)

    def correct(self, deviations: Values) -> Values:
        """Return deviations [d] from what is normal by now."""
        return np.asarray((deviations - np.array(self.shift)) / np.array(self.spread))

    def update(self, deviations: Values, *, abnormal: bool) -> bool:
        """Take in one second's uncorrected deviations [d]; True when a lasting change has just become normal."""
        rate = 1.0 / _TIME_CONSTANT
        recent, shift = np.array(self.recent), np.array(self.shift)
        spread = np.array(self.recent_spread)
        distance = np.abs(deviations - recent)
        self.recent = (recent + rate * (deviations - recent)).tolist()
        self.recent_spread = (spread + rate * (distance - spread)).tolist()
        self.abnormal_share += rate * (float(abnormal) - self.abnormal_share)
        if not abnormal:
            width = np.array(self.spread)
            self.shift = (shift + rate * np.clip(deviations - shift, -FOLLOWED * width, FOLLOWED * width)).tolist()
            narrower = np.maximum(1.0, 1.4826 * spread)
            self.spread = np.minimum(width, width + rate * (narrower - width)).tolist()
        if self.abnormal_share < 0.5:
            return False
        self._accept()
        return True

    def _accept(self) -> None:
        """Make what was seen lately normal.

        With half its weight from before the change, the mean lies halfway between old and new, and the mean distance
        from it is about half the step: 1.4826 of it, as for a median, covers both ends.
        """
        recent, distance = np.array(self.recent), np.array(self.recent_spread)
        self.shift = recent.tolist()
        self.spread = np.maximum(np.array(self.spread), 1.4826 * distance).tolist()
        self.abnormal_share = 0.0
