"""Sets in which a minute of a service is judged; truth is the injector's journal, never a word of a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from evaluation.datasets.labelled import ABNORMAL, NO_UNIT, NORMAL, LabelledSet, Unit, UnitKind, check_usable
from faultline.records import Event

WINDOW: Final = timedelta(minutes=1)
RECORDED: Final = 0.75  # of a window must lie between its first and its last line, of whatever service


@dataclass(frozen=True)
class Fault:
    """What was broken, from when to when."""

    target: str
    start: datetime
    end: datetime


def window_set(
    name: str, events: Sequence[Event], faults: Sequence[Fault], split_of: Callable[[datetime], str]
) -> LabelledSet:
    """Return minutes of services; one is abnormal when at least half of it lies in a fault of its service."""
    return minute_set(name, events, lambda service, start: _label(service, start, faults), split_of)


def minute_set(
    name: str,
    events: Sequence[Event],
    label_of: Callable[[str, datetime], int],
    split_of: Callable[[datetime], str],
) -> LabelledSet:
    """Return a unit per service and minute in which anybody wrote: one that is silent then is a unit without events."""
    starts = observed(events)
    services = sorted({event.service_name for event in events})
    units = [
        Unit(f"{service}@{start:%m-%dT%H:%M}", label_of(service, start), split_of(start), start, service)
        for start in starts
        for service in services
    ]
    place = {(unit.group, unit.start): index for index, unit in enumerate(units)}
    unit_of = [place.get((event.service_name, window_start(event.timestamp)), NO_UNIT) for event in events]
    return check_usable(
        LabelledSet(
            name,
            UnitKind.WINDOW,
            tuple(events),
            tuple(units),
            np.array(unit_of, np.int64),
            lines_read=len(events),
        )
    )


def observed(events: Sequence[Event]) -> list[datetime]:
    """Return the windows that were recorded from begin to end, more or less: where recording stops is no silence."""
    first: dict[datetime, datetime] = {}
    last: dict[datetime, datetime] = {}
    for event in events:
        start = window_start(event.timestamp)
        first[start] = min(first.get(start, event.timestamp), event.timestamp)
        last[start] = max(last.get(start, event.timestamp), event.timestamp)
    return sorted(start for start in first if last[start] - first[start] >= RECORDED * WINDOW)


def window_start(moment: datetime) -> datetime:
    """Return the start of the window a time lies in.

    >>> window_start(datetime(2023, 1, 29, 8, 43, 59, tzinfo=UTC)).isoformat()
    '2023-01-29T08:43:00+00:00'
    """
    seconds = int(WINDOW.total_seconds())
    return datetime.fromtimestamp(int(moment.timestamp()) // seconds * seconds, UTC)


def _label(service: str, start: datetime, faults: Sequence[Fault]) -> int:
    inside = sum((_overlap(fault, start) for fault in faults if fault.target == service), timedelta())
    return ABNORMAL if 2 * inside >= WINDOW else NORMAL


def _overlap(fault: Fault, start: datetime) -> timedelta:
    return max(min(fault.end, start + WINDOW) - max(fault.start, start), timedelta())
