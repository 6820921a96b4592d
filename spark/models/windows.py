"""Sliding windows of event time: from facts to one row of plain numbers per service and second.

Train and stream use this one class, so their rows are the same. A second is closed once the watermark has passed it;
what comes later is counted as late and left out of windows (it was scored by what it says all the same).
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from spark.models.features import Fact

WIDTHS: Final = (5, 15)  # seconds: the short one is quick, the long one steady
WIDTH: Final = WIDTHS[-1]
DELAY_SECONDS: Final = 1  # the feeder takes some 0.2 s; a line that is later is late
MAX_SERVICES: Final = 200  # bounds the state; lines of services beyond are counted as left out
MAX_NAMES: Final = 400  # facts of a service within a second, see MAX_SERVICES
FORGET_SECONDS: Final = 3600  # a service that has been silent for so long is no longer expected
MAX_GAP_SECONDS: Final = 900  # nobody wrote for so long: windows begin anew, nothing is known of the time between
MIN_SAMPLES: Final = 5  # quantiles of fewer values say nothing
QUANTILES: Final = {"p50": 0.5, "p95": 0.95}
_COUNTS: Final = ("level:", "status:", "template:")

Row = dict[str, float]
Cell = tuple[float, float, int]  # total, peak, lines


class ServiceState(msgspec.Struct):
    """Facts of the last WIDTH seconds and of those not closed yet, and what came before them."""

    first_second: int
    seconds: dict[int, dict[str, Cell]] = {}
    last_line: dict[str, int] = {}  # source type -> second
    counters: dict[str, tuple[int, float]] = {}  # series -> its last sample before the window

    @property
    def last_second(self) -> int:
        """The second of its last line or sample."""
        return max(self.last_line.values(), default=self.first_second)


class Windows(msgspec.Struct):
    """The windows of all services: bounded by MAX_SERVICES, MAX_NAMES, WIDTH and the watermark."""

    services: dict[str, ServiceState] = {}
    closed: int = 0  # the last closed second; 0 before the first
    late: int = 0
    left_out: int = 0

    def add(self, facts: Iterable[Fact]) -> None:
        """Take facts in, in any order."""
        for fact in facts:
            if fact.second <= self.closed:
                self.late += fact.lines if fact.name.startswith("lines:") else 0
            elif (service := self._service(fact)) is not None:
                _add(service.seconds.setdefault(fact.second, {}), fact)

    def _service(self, fact: Fact) -> ServiceState | None:
        if fact.service_name not in self.services:
            if len(self.services) >= MAX_SERVICES:
                self.left_out += fact.lines if fact.name.startswith("lines:") else 0
                return None
            self.services[fact.service_name] = ServiceState(fact.second)
        service = self.services[fact.service_name]
        service.first_second = min(service.first_second, fact.second)
        return service

    def advance(self, newest: int) -> Iterator[tuple[str, int, Row]]:
        """Close every second up to the watermark `newest - DELAY_SECONDS`; yield (service, second, row), in order.

        A service has rows from WIDTH seconds after its first line on: before that its windows are cut short.
        """
        watermark = newest - DELAY_SECONDS
        waiting = {second for service in self.services.values() for second in service.seconds}
        for target in [*sorted(s for s in waiting if self.closed < s <= watermark), watermark]:
            if self.closed == 0 or target - self.closed > MAX_GAP_SECONDS:
                self._begin(target)
            while self.closed < target:
                self.closed += 1
                yield from self._close(self.closed)

    def _begin(self, second: int) -> None:
        """Forget all that was before a second."""
        self.closed = second - 1
        kept = {name: {s: f for s, f in state.seconds.items() if s >= second} for name, state in self.services.items()}
        self.services = {name: ServiceState(min(facts), facts) for name, facts in kept.items() if facts}

    def _close(self, second: int) -> Iterator[tuple[str, int, Row]]:
        for name in sorted(self.services):
            service = self.services[name]
            _remember(service, second)
            if second - service.last_second > FORGET_SECONDS:
                del self.services[name]
            elif second - service.first_second >= WIDTH:
                yield name, second, _row(service, second)


def newest_second(before: int, marks: Iterable[Mapping[int, int]]) -> int:
    """Return the second up to which every partition was read in a micro-batch, never before the one of before.

    `marks` are the newest seconds by partition. One that lags in a backlog holds the others back: its lines would all
    be late.
    """
    newest: dict[int, int] = {}
    for mark in marks:
        for partition, second in mark.items():
            newest[partition] = max(newest.get(partition, 0), second)
    return max(before, min(newest.values(), default=0))


def _add(facts: dict[str, Cell], fact: Fact) -> None:
    total, peak, lines = facts.get(fact.name, (0.0, fact.peak, 0))
    if lines or len(facts) < MAX_NAMES:
        facts[fact.name] = (total + fact.total, max(peak, fact.peak), lines + fact.lines)


def _remember(service: ServiceState, second: int) -> None:
    """Note what silence and rates are measured from, and drop the second that leaves the window."""
    for name in service.seconds.get(second, ()):
        if name.startswith("lines:"):
            service.last_line[name.removeprefix("lines:")] = second
    for name, (_, peak, _) in service.seconds.pop(second - WIDTH, {}).items():
        if name.startswith("counter:"):
            service.counters[name.removeprefix("counter:")] = (second - WIDTH, peak)


def _row(service: ServiceState, second: int) -> Row:
    """Return what a window shows, by name; a quantile or rate that cannot be told is absent.

    `lines/5s`, `level:ERROR/15s`, `status:5xx/5s`, `template:<id>/15s`: counts; `silence:<source type>`: seconds;
    `p50:<measure>`, `p95:<measure>`: its unit; `gauge:<series>`, `change:<series>`: first value and rise since, as
    levels wander; `rate:<series>`: rise per second of a counter.
    """
    row: Row = {f"silence:{kind}": float(second - last) for kind, last in service.last_line.items()}
    for width in WIDTHS:
        merged = _merge(service.seconds, range(second - width + 1, second + 1))
        row[f"lines/{width}s"] = sum(cell[0] for name, cell in merged.items() if name.startswith("lines:"))
        row |= {f"{name}/{width}s": cell[0] for name, cell in merged.items() if name.startswith(_COUNTS)}
    return row | _quantiles(merged) | _changes(service, second) | _rates(service, second)


def _quantiles(merged: Mapping[str, Cell]) -> Row:
    bins: dict[str, list[tuple[int, float]]] = {}
    for name, cell in merged.items():
        if name.startswith("value:"):
            measure, _, position = name.removeprefix("value:").rpartition("#")
            bins.setdefault(measure, []).append((int(position), cell[0]))
    return {
        f"{label}:{measure}": _quantile(sorted(found), share)
        for measure, found in bins.items()
        if sum(count for _, count in found) >= MIN_SAMPLES
        for label, share in QUANTILES.items()
    }


def _quantile(bins: list[tuple[int, float]], share: float) -> float:
    """Return the lower end of the bin in which a quantile lies; bins are half octaves, see features.half_octave."""
    reached = np.cumsum([count for _, count in bins])
    position = bins[int(np.searchsorted(reached, share * reached[-1]))][0]
    return float(2.0 ** (position / 2))


def _merge(seconds: Mapping[int, Mapping[str, Cell]], wanted: range) -> dict[str, Cell]:
    merged: dict[str, Cell] = {}
    for second in wanted:
        for name, (total, peak, lines) in seconds.get(second, {}).items():
            old = merged.get(name)
            merged[name] = (total, peak, lines) if old is None else (old[0] + total, max(old[1], peak), old[2] + lines)
    return merged


def _changes(service: ServiceState, second: int) -> Row:
    first: Row = {}
    last: Row = {}
    for moment in range(second - WIDTH + 1, second + 1):
        for name, (total, _, lines) in service.seconds.get(moment, {}).items():
            if name.startswith("gauge:"):
                first.setdefault(name, total / lines)
                last[name] = total / lines
    return first | {f"change:{name.removeprefix('gauge:')}": last[name] - first[name] for name in first}


def _rates(service: ServiceState, second: int) -> Row:
    """Return the rise per second of each counter over the window; after a reset it counts from 0. None: one sample."""
    samples: dict[str, list[tuple[int, float]]] = {name: [sample] for name, sample in service.counters.items()}
    for moment in range(second - WIDTH + 1, second + 1):
        for name, (_, peak, _) in service.seconds.get(moment, {}).items():
            if name.startswith("counter:"):
                samples.setdefault(name.removeprefix("counter:"), []).append((moment, peak))
    return {
        f"rate:{name}": sum(after - before if after >= before else after for (_, before), (_, after) in pairwise(found))
        / (found[-1][0] - found[0][0])
        for name, found in samples.items()
        if len(found) > 1
    }


class RowTable:
    """Rows of one service by column, NaN where a row has no such value; 8 bytes a cell."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.columns: dict[str, array[float]] = {}
        self._rows = 0
        for row in rows:
            self.append(row)

    def __len__(self) -> int:
        return self._rows

    def append(self, row: Row) -> None:
        """Add one row."""
        for name, value in row.items():
            column = self.columns.setdefault(name, array("d"))
            column.extend([math.nan] * (self._rows - len(column)))
            column.append(value)
        self._rows += 1

    def seen(self, name: str) -> int:
        """Return in how many rows a column has a value."""
        return int(np.isfinite(self.columns.get(name, array("d"))).sum())

    def matrix(self, names: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return float64 [rows, names]."""
        x = np.full((self._rows, len(names)), math.nan)
        for place, name in enumerate(names):
            if (stored := self.columns.get(name)) is not None:
                x[: len(stored), place] = stored
        return x
