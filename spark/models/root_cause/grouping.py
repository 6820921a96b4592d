"""Anomalies of one cause become one incident: by time, by who depends on whom, and by shared requests.

A function of state and anomalies, in order of arrival; time is given, never read. The state is bounded: MAX_OPEN
incidents, twice MAX_SYMPTOMS of each, MAX_TRACES of each, PENDING waiting lines and sessions, SEEN_IDS remembered ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

import msgspec

from faultline.alerting import ALERT_LINES, ALERT_WINDOW_SECONDS, SPREAD_LINES, SPREAD_SERVICES
from faultline.anomalies import Anomaly, AnyAnomaly, ServiceAnomaly, SessionAnomaly
from faultline.catalog.graph import DependencyGraph
from faultline.incidents import IncidentState
from spark.models.root_cause.symptoms import Symptom, SymptomKind, symptoms_of

JOIN: Final = timedelta(seconds=60)  # after the last anomaly: what comes later began by itself
QUIET: Final = timedelta(seconds=25)  # without an anomaly an incident is over; a lasting one is told every 15 s
LINE_WINDOW: Final = timedelta(seconds=ALERT_WINDOW_SECONDS)  # in which lone lines count together
REMEMBERED: Final = timedelta(minutes=2)  # after its end: sessions of an incident are judged when they are over
HOPS: Final = 2  # between services that can have one fault: a caller's caller, or two callers of one
MAX_OPEN: Final = 100
MAX_SYMPTOMS: Final = 200  # that are kept when there are twice as many: sorting them for each would take longest
MAX_TRACES: Final = 1000
PENDING: Final = 1000
SEEN_IDS: Final = 20_000


class Group(msgspec.Struct):
    """An incident as far as it has come."""

    incident_id: str
    opened_at: datetime
    last_at: datetime
    services: dict[str, datetime] = {}  # and when each was abnormal first
    traces: list[str] = []
    symptoms: list[Symptom] = []
    anomalies: int = 0
    state: IncidentState = IncidentState.OPEN
    merged_into: str = ""

    def add(self, anomaly: AnyAnomaly, found: Sequence[Symptom]) -> None:
        """Take an anomaly in."""
        at = shown(anomaly)
        self.opened_at, self.last_at = min(self.opened_at, at), max(self.last_at, ended(anomaly))
        self._keep({anomaly.service_name: at}, _traces(anomaly), found)
        self.anomalies += 1

    def absorb(self, other: Group) -> None:
        """Take another incident in, which was part of this one."""
        self.opened_at, self.last_at = min(self.opened_at, other.opened_at), max(self.last_at, other.last_at)
        self._keep(other.services, other.traces, other.symptoms)
        self.anomalies += other.anomalies

    def _keep(self, services: Mapping[str, datetime], traces: Iterable[str], symptoms: Sequence[Symptom]) -> None:
        for service, at in services.items():
            self.services[service] = min(self.services.get(service, at), at)
        self.traces = list(dict.fromkeys([*self.traces, *traces]))[-MAX_TRACES:]
        self.symptoms = [*self.symptoms, *symptoms]
        if len(self.symptoms) > 2 * MAX_SYMPTOMS:
            self.symptoms = _strongest(self.symptoms)


class Grouping(msgspec.Struct):
    """The whole state."""

    groups: dict[str, Group] = {}  # open ones, oldest first
    closed: dict[str, Group] = {}  # those resolved a short while ago
    pending: list[Anomaly | SessionAnomaly] = []  # that nothing has confirmed yet
    seen: dict[str, None] = {}  # event ids: anomalies are delivered at least once

    def take(self, anomaly: AnyAnomaly, graph: DependencyGraph) -> list[Group]:
        """Take in one anomaly; return the incidents that changed, merged ones first, none when it was seen before.

        A line or session alone opens nothing; it waits for its service to be called abnormal. Several open an incident
        as they raise an alert. What was part of an incident that is over opens none either.
        """
        if anomaly.event_id in self.seen:
            return []
        self.seen[anomaly.event_id] = None
        while len(self.seen) > SEEN_IDS:
            del self.seen[next(iter(self.seen))]
        matches = [group for group in self.groups.values() if _belongs(anomaly, group, graph)]
        if not matches and any(_was_part(anomaly, group, graph) for group in self.closed.values()):
            return []
        if not matches and not isinstance(anomaly, ServiceAnomaly):
            return self._wait(anomaly)
        return self._put(anomaly, matches, graph)

    def close(self, now: datetime) -> list[Group]:
        """Resolve and return the incidents that have been quiet; forget lines that waited in vain."""
        self.pending = [anomaly for anomaly in self.pending if now - ended(anomaly) <= JOIN]
        self.closed = {name: group for name, group in self.closed.items() if now - group.last_at <= REMEMBERED}
        quiet = [group for group in self.groups.values() if now - group.last_at > QUIET]
        for group in quiet:
            group.state = IncidentState.RESOLVED
            self.closed[group.incident_id] = self.groups.pop(group.incident_id)
        return quiet

    def _wait(self, anomaly: Anomaly | SessionAnomaly) -> list[Group]:
        self.pending = [*self.pending, anomaly][-PENDING:]
        alike = [other for other in self.pending if isinstance(other, type(anomaly))]
        together = [other for other in alike if abs(ended(other) - ended(anomaly)) <= LINE_WINDOW]
        if not _is_alarming([other.service_name for other in together]):
            return []
        return self._put(anomaly, [], None)

    def _put(self, anomaly: AnyAnomaly, matches: list[Group], graph: DependencyGraph | None) -> list[Group]:
        group = matches[0] if matches else self._open(anomaly)
        for part in matches[1:]:
            group.absorb(part)
            part.state, part.merged_into = IncidentState.MERGED, group.incident_id
            del self.groups[part.incident_id]
        group.add(anomaly, list(symptoms_of(anomaly)))
        for waiting in [other for other in self.pending if graph is None or _belongs(other, group, graph)]:
            self.pending.remove(waiting)
            if waiting.event_id != anomaly.event_id:
                group.add(waiting, list(symptoms_of(waiting)))
        return [*matches[1:], group]

    def _open(self, anomaly: AnyAnomaly) -> Group:
        if len(self.groups) >= MAX_OPEN:
            # The newest takes it: an incident that everything joins is told, one that is dropped is not.
            return next(reversed(self.groups.values()))
        incident_id = sha256(f"incident\n{anomaly.event_id}".encode()).hexdigest()[:16]
        group = Group(incident_id, shown(anomaly), ended(anomaly))
        self.groups[incident_id] = group
        return group


def began(anomaly: AnyAnomaly) -> datetime:
    """Return when an anomaly began."""
    if isinstance(anomaly, Anomaly):
        return anomaly.timestamp
    return anomaly.since if isinstance(anomaly, ServiceAnomaly) else anomaly.first


def shown(anomaly: AnyAnomaly) -> datetime:
    """Return when an anomaly could first be known: a window is judged when it is over, and began before the fault."""
    if isinstance(anomaly, ServiceAnomaly):
        return anomaly.since + (anomaly.window_end - anomaly.window_start)
    return began(anomaly)


def ended(anomaly: AnyAnomaly) -> datetime:
    """Return until when an anomaly is known to have lasted."""
    if isinstance(anomaly, Anomaly):
        return anomaly.timestamp
    return anomaly.window_end if isinstance(anomaly, ServiceAnomaly) else anomaly.last


def _traces(anomaly: AnyAnomaly) -> Iterator[str]:
    if isinstance(anomaly, Anomaly) and anomaly.trace_id.strip("0-"):
        yield anomaly.trace_id
    elif isinstance(anomaly, SessionAnomaly):
        yield anomaly.session_key


def _belongs(anomaly: AnyAnomaly, group: Group, graph: DependencyGraph) -> bool:
    if began(anomaly) - group.last_at > JOIN or group.opened_at - ended(anomaly) > JOIN:
        return False
    if any(trace in group.traces for trace in _traces(anomaly)):
        return True
    if not graph.knows(anomaly.service_name):  # nobody knows what it has to do with: by time alone, and close in time
        return began(anomaly) - group.last_at <= LINE_WINDOW
    return any(graph.near(anomaly.service_name, other, HOPS) for other in group.services)


def _was_part(anomaly: AnyAnomaly, group: Group, graph: DependencyGraph) -> bool:
    """Return whether an anomaly that is told late was over before the incident's last sign of life was."""
    return ended(anomaly) <= group.last_at + LINE_WINDOW and _belongs(anomaly, group, graph)


def _is_alarming(services: Sequence[str]) -> bool:
    """The rule of LogAnomaly: three lines of one service, or two lines in each of three."""
    counts = [services.count(name) for name in set(services)]
    return max(counts) >= ALERT_LINES or sum(count >= SPREAD_LINES for count in counts) >= SPREAD_SERVICES


def _strongest(symptoms: Sequence[Symptom]) -> list[Symptom]:
    """Keep the symptoms that count most, all services among them: the first of a kind tells when it began."""
    ordered = sorted(symptoms, key=lambda symptom: -symptom.surprise)
    kept: dict[tuple[str, SymptomKind], list[Symptom]] = {}
    for symptom in ordered:
        kept.setdefault((symptom.service_name, symptom.kind), []).append(symptom)
    by_rank = sorted(
        ((rank, symptom) for of_kind in kept.values() for rank, symptom in enumerate(of_kind)), key=lambda item: item[0]
    )
    return [symptom for _, symptom in by_rank[:MAX_SYMPTOMS]]
