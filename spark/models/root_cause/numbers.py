"""Series of numbers that leave the range they usually have: for metrics that are sampled now and then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

import numpy as np

from faultline.errors import ArtifactError

MIN_SAMPLES: Final = 5  # of background time; a range of fewer says nothing
LEAST_WIDTH: Final = 0.05  # of the middle: a series that hardly ever moves may move by so much


class Series(NamedTuple):
    """What is measured of a service; of a call, `caller` is who calls it."""

    service_name: str
    name: str
    caller: str = ""


@dataclass(frozen=True)
class NumberDeviation:
    """A value outside the usual range, and how far: in widths of the range."""

    series: Series
    value: float
    low: float
    high: float

    @property
    def widths(self) -> float:
        """How many times the width of the range lies between the range and the value."""
        return max(self.value - self.high, self.low - self.value) / (self.high - self.low)


@dataclass(frozen=True)
class NumberProfile:
    """The usual range of each series."""

    ranges: Mapping[Series, tuple[float, float]]

    @classmethod
    def fit(cls, samples: Mapping[Series, Sequence[float]], spread: float) -> Self:
        """Learn the range of every series with enough finite samples of background time.

        `spread` is the share of the samples that may be faulty on either side, above 0: the rest makes the range.
        """
        ranges = {}
        for series, values in samples.items():
            finite = np.asarray(values, np.float64)[np.isfinite(values)]
            if len(finite) >= MIN_SAMPLES:
                ranges[series] = _range(finite, spread)
        return cls(ranges)

    def deviations(self, samples: Mapping[Series, Sequence[float]]) -> Iterator[NumberDeviation]:
        """Yield the series outside of their range: by the second farthest sample, or by the only one.

        One sample alone may be a hiccup of what measures.
        """
        for series, values in sorted(samples.items()):
            if series not in self.ranges:
                continue
            low, high = self.ranges[series]
            found = [NumberDeviation(series, float(value), low, high) for value in values if np.isfinite(value)]
            farthest = sorted(found, key=lambda deviation: -deviation.widths)
            if farthest and (second := farthest[min(1, len(farthest) - 1)]).widths > 0:
                yield second

    def to_json(self) -> list[list[Any]]:
        """Return the state as JSON values."""
        return [[*series, *ends] for series, ends in sorted(self.ranges.items())]

    @classmethod
    def from_json(cls, state: Sequence[Sequence[Any]]) -> Self:
        """Read what `to_json` wrote; raises ArtifactError when it is something else."""
        try:
            return cls(
                {
                    Series(str(service), str(name), str(caller)): (float(low), float(high))
                    for service, name, caller, low, high in state
                }
            )
        except (TypeError, ValueError) as error:
            raise ArtifactError(f"number profile: {error!r}, expected what to_json wrote; train again") from error


def _range(values: np.ndarray[Any, np.dtype[np.float64]], spread: float) -> tuple[float, float]:
    low, middle, high = np.quantile(values, (spread, 0.5, 1 - spread))
    lacking = max(LEAST_WIDTH * abs(middle) - (high - low), 0.0) or (1e-9 if high == low else 0.0)
    return float(low - lacking / 2), float(high + lacking / 2)
