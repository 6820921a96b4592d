"""A whole recorded run as the pipeline saw it: every incident, true or false, in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Final

from evaluation.root_cause.recorded import LATE, WINDOW, Run
from faultline.catalog.graph import DependencyGraph
from faultline.feedback import FalseAlarms, Pattern
from faultline.incidents import IncidentState
from spark.models.root_cause.grouping import Group, Grouping, began
from spark.models.root_cause.verdicts import is_normal, patterns_of

NOTHING_JUDGED: Final = FalseAlarms()


@dataclass(frozen=True)
class Replayed:
    """One incident, and the fault it belongs to: the number of the injection, None for a false alarm."""

    incident_id: str
    opened_at: datetime
    patterns: tuple[Pattern, ...]
    fault: int | None
    kind: str  # of the fault or harmless change, or "normal time"

    @property
    def is_true(self) -> bool:
        """True when something was broken."""
        return self.fault is not None


def replay(run: Run, alarms: FalseAlarms = NOTHING_JUDGED) -> list[Replayed]:
    """Return the incidents of every injection and of normal time, each by itself, when verdicts call some normal.

    By itself: what went before is over, as it would be in real life, where changes are hours apart.
    """
    graph = DependencyGraph.of(run.catalog, run.recording.edges)
    return [
        Replayed(group.incident_id, group.opened_at, tuple(patterns_of(group.symptoms)), span.fault, span.kind)
        for span in _spans(run)
        for group in _incidents(run, span, graph, alarms)
    ]


@dataclass(frozen=True)
class _Span:
    """A time of one kind, and from when on an anomaly may be of it."""

    kind: str
    fault: int | None
    since: datetime
    start: datetime
    end: datetime


def _spans(run: Run) -> Iterator[_Span]:
    for normal in run.normal:
        yield _Span("normal time", None, normal.start, normal.start, normal.end)
    following = [injection.start for injection in run.injections[1:]]
    for injection, until in zip_longest(run.injections, following):
        end = min(injection.end + LATE, until or injection.end + LATE)
        since = injection.start - WINDOW  # the windows of its first anomalies look back
        yield _Span(injection.kind, None if injection.benign else injection.number, since, injection.start, end)


def _incidents(run: Run, span: _Span, graph: DependencyGraph, alarms: FalseAlarms) -> list[Group]:
    grouping = Grouping()
    groups: dict[str, Group] = {}
    for arrived, anomaly in run.recording.between(span.start, span.end):
        if began(anomaly) >= span.since and not is_normal(anomaly, alarms):
            for group in [*grouping.close(arrived), *grouping.take(anomaly, graph)]:
                groups[group.incident_id] = group
    kept = [group for group in groups.values() if group.state is not IncidentState.MERGED]
    return sorted(kept, key=lambda group: (group.opened_at, group.incident_id))
