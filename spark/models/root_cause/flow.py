"""Which line follows which within one service's part of a request, and where that has changed.

A step is a pair (before, after) of template ids within one service and request; the first step begins at the
operation that was called, the last one ends at END. A fault shows where a step that nearly always follows does not
any more, and it shows in the service that has the fault: its callers take other branches, but of their own code. After
the event patterns of Nezha (Yu et al. 2023, doi 10.1145/3611643.3616249); theirs compares one window with one of
normal time, ours allows each step the range of shares that windows of background time had.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, Final, NamedTuple, Self

import numpy as np

from faultline.errors import ArtifactError, TrainingDataError

END: Final = "$"
MIN_USES: Final = 5  # of a window, for the share of its steps to say something
MIN_WINDOWS: Final = 5  # with so many uses; else all windows are put together
SPREAD: Final = 0.1  # of the windows on either side may be faulty: background time need not be clean
LEAST_SHARE: Final = 1e-4  # of a step that background time never or always took: no count rules out more
MAX_STEPS: Final = 512  # a service, most frequent first; bounds profile and counts
PSEUDO_COUNT: Final = 0.5  # Krichevsky and Trofimov, 1981


class FlowLine(NamedTuple):
    """One line as part of a request; lines of one service and request are ordered by `order`."""

    service_name: str
    request: str  # trace id, or trace and span id where spans are known
    order: float
    template: str
    operation: str  # that was called, empty when unknown


class Step(NamedTuple):
    """`after` directly followed `before` in a request's part within a service."""

    service_name: str
    before: str
    after: str


Counts = Counter[Step]
_NEVER: Final = (0.0, 0.0)  # the range of a step that background time did not have


def count_steps(lines: Iterable[FlowLine]) -> Counts:
    """Count the steps of all requests; n log n in the lines, whose order does not matter."""
    counts: Counts = Counter()
    ordered = sorted(lines, key=lambda line: (line.service_name, line.request, line.order, line.template))
    for (service, _), of_request in groupby(ordered, key=lambda line: (line.service_name, line.request)):
        part = list(of_request)
        operation = next((line.operation for line in part if line.operation), "")
        path = [f"^{operation}", *(line.template for line in part if line.template), END]
        counts.update(Step(service, before, after) for before, after in pairwise(path))
    return counts


@dataclass(frozen=True)
class FlowDeviation:
    """The step of a service whose share has changed most."""

    step: Step
    surprise: float  # nats: log-likelihood ratio of the share seen against the nearest usual one
    taken: int  # how often the step was taken, of so many times that `before` came
    of: int
    usual_share: float  # the nearest one

    @property
    def share(self) -> float:
        """The share seen, 0 to 1."""
        return self.taken / self.of


@dataclass(frozen=True)
class FlowProfile:
    """The range of shares that each step had in windows of background time."""

    ranges: Mapping[str, Mapping[str, Mapping[str, tuple[float, float]]]]  # service -> before -> after -> (low, high)

    @classmethod
    def fit(cls, windows: Sequence[Counts]) -> Self:
        """Learn from the counts of windows, each some seconds to minutes long; some may be faulty, see SPREAD.

        Raises TrainingDataError when no window has a step.
        """
        kept = _most_frequent(windows)
        if not kept:
            raise TrainingDataError("no step of a request to learn from, expected lines with a trace or request id")
        taken = np.array([[window.get(step, 0) for step in kept] for window in windows], np.float64)
        of = _uses(kept, windows)
        ranges: dict[str, dict[str, dict[str, tuple[float, float]]]] = defaultdict(lambda: defaultdict(dict))
        for column, step in enumerate(kept):
            ranges[step.service_name][step.before][step.after] = _range(taken[:, column], of[:, column])
        return cls({service: dict(steps) for service, steps in ranges.items()})

    def deviations(self, counts: Counts) -> dict[str, FlowDeviation]:
        """Return the greatest deviation of every service that has one; steps from a line never seen are left out.

        What was never seen at all is for the detectors of lines to judge.
        """
        found: dict[str, FlowDeviation] = {}
        for deviation in self._all(counts):
            service = deviation.step.service_name
            if service not in found or deviation.surprise > found[service].surprise:
                found[service] = deviation
        return found

    def _all(self, counts: Counts) -> Iterator[FlowDeviation]:
        uses: Counter[tuple[str, str]] = Counter()
        taken_after: dict[tuple[str, str], list[str]] = defaultdict(list)
        for step, taken in counts.items():
            uses[step.service_name, step.before] += taken
            taken_after[step.service_name, step.before].append(step.after)
        for (service, before), of in sorted(uses.items()):
            known = self.ranges.get(service, {}).get(before, {})
            new = sorted(after for after in taken_after[service, before] if after not in known)
            for after, (low, high) in [*sorted(known.items()), *((after, _NEVER) for after in new if known)]:
                taken = counts.get(Step(service, before, after), 0)
                usual = min(max(_share(taken, of), low), high)
                if not math.isclose(usual, _share(taken, of)):
                    surprise = _surprise(taken, of, usual)
                    yield FlowDeviation(Step(service, before, after), surprise, taken, of, usual)

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            service: {before: {after: list(ends) for after, ends in known.items()} for before, known in steps.items()}
            for service, steps in self.ranges.items()
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote; raises ArtifactError when it is something else."""
        try:
            return cls(
                {
                    str(service): {
                        str(before): {str(after): (float(low), float(high)) for after, (low, high) in known.items()}
                        for before, known in steps.items()
                    }
                    for service, steps in state.items()
                }
            )
        except (AttributeError, TypeError, ValueError) as error:
            raise ArtifactError(f"flow profile: {error!r}, expected what to_json wrote; train again") from error


def _most_frequent(windows: Sequence[Counts]) -> list[Step]:
    """Return the steps kept, by name: at most MAX_STEPS a service."""
    total: Counts = Counter()
    for window in windows:
        total.update(window)
    kept: dict[str, list[Step]] = defaultdict(list)
    for step, _ in sorted(total.items(), key=lambda item: (-item[1], item[0])):
        if len(kept[step.service_name]) < MAX_STEPS:
            kept[step.service_name].append(step)
    return sorted(step for steps in kept.values() for step in steps)


def _uses(kept: Sequence[Step], windows: Sequence[Counts]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return how often each step's `before` came in each window, float64 [windows, steps]."""
    sums: list[Counter[tuple[str, str]]] = []
    for window in windows:
        of: Counter[tuple[str, str]] = Counter()
        for step, taken in window.items():
            of[step.service_name, step.before] += taken
        sums.append(of)
    return np.array([[of[step.service_name, step.before] for step in kept] for of in sums], np.float64)


def _range(taken: np.ndarray[Any, Any], of: np.ndarray[Any, Any]) -> tuple[float, float]:
    used = of >= MIN_USES
    if used.sum() >= MIN_WINDOWS:
        low, high = np.quantile(_share(taken[used], of[used]), (SPREAD, 1 - SPREAD))
    else:
        low = high = _share(taken.sum(), of.sum())
    return float(low), float(high)


def _share(taken: Any, of: Any) -> Any:
    """Return the share, drawn towards a half by as much as few uses say little."""
    return (taken + PSEUDO_COUNT) / (of + 2 * PSEUDO_COUNT)


def _surprise(taken: int, of: int, usual: float) -> float:
    """Return the log-likelihood ratio, in nats, of `taken` of `of` against a usual share (binomial G-test, halved).

    >>> _surprise(5, 10, 0.5), round(_surprise(0, 10, 0.5), 2)
    (0.0, 6.93)
    """
    p = min(max(usual, LEAST_SHARE), 1 - LEAST_SHARE)
    seen = taken / of
    yes = taken * math.log(seen / p) if taken else 0.0
    no = (of - taken) * math.log((1 - seen) / (1 - p)) if taken < of else 0.0
    return yes + no
