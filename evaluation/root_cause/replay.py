"""A whole recorded run as the pipeline saw it: every incident, true or false, in order."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from evaluation.root_cause.recorded import LATE, Run
from faultline.catalog.graph import DependencyGraph
from faultline.feedback import Pattern
from faultline.incidents import IncidentState
from spark.models.root_cause.grouping import Group, Grouping
from spark.models.root_cause.verdicts import patterns_of, without


@dataclass(frozen=True)
class Replayed:
    """One incident, and the fault it belongs to: the number of the injection, None for a false alarm."""

    incident_id: str
    opened_at: datetime
    patterns: tuple[Pattern, ...]
    fault: int | None
    kind: str  # of the fault or of the harmless change that went on, "normal time" when nothing did

    @property
    def is_true(self) -> bool:
        """True when something was broken."""
        return self.fault is not None


def replay(run: Run, normal: Container[Pattern] = ()) -> list[Replayed]:
    """Return every incident of a run, when some patterns are called normal; merged ones are part of another."""
    graph, grouping = DependencyGraph.of(run.catalog, run.recording.edges), Grouping()
    groups: dict[str, Group] = {}
    for arrived, anomaly in run.recording.anomalies:
        left = without(anomaly, normal)
        for group in [*grouping.close(arrived), *(grouping.take(left, graph) if left else ())]:
            groups[group.incident_id] = group
    kept = [group for group in groups.values() if group.state is not IncidentState.MERGED]
    return [_labelled(run, group) for group in sorted(kept, key=lambda group: (group.opened_at, group.incident_id))]


def _labelled(run: Run, group: Group) -> Replayed:
    going_on = list(_going_on(run, group.opened_at))
    faults = [number for number, _, benign in going_on if not benign]
    kind = going_on[-1][1] if going_on else "normal time"
    patterns = tuple(patterns_of(group.symptoms))
    return Replayed(group.incident_id, group.opened_at, patterns, faults[-1] if faults else None, kind)


def _going_on(run: Run, moment: datetime) -> Iterator[tuple[int, str, bool]]:
    """Yield the injections whose effects an incident that began then may be of; windows look back some seconds."""
    for injection in run.injections:
        if injection.start - timedelta(seconds=15) <= moment <= injection.end + LATE:
            yield injection.number, injection.kind, injection.benign
