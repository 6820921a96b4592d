"""One step: anomalies in, incidents with ranked causes out; the store keeps what it came to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from faultline.anomalies import AnyAnomaly, read_anomaly
from faultline.catalog.entities import Entity, own_name
from faultline.catalog.graph import DependencyGraph
from faultline.errors import DecodeError
from faultline.feedback import FalseAlarms
from faultline.incidents import Incident, IncidentState
from incidents.store import IncidentStore
from spark.models.root_cause.diagnosis import Stamp, diagnose
from spark.models.root_cause.grouping import Group
from spark.models.root_cause.meaning import said_first, who_may
from spark.models.root_cause.ranker import Ranker
from spark.models.root_cause.requests import SeenRequests
from spark.models.root_cause.situation import Candidates, Change, Situation, candidates_of
from spark.models.root_cause.symptoms import Symptom
from spark.models.root_cause.usual import Usual
from spark.models.root_cause.verdicts import is_normal, patterns_of

LOOK_BEFORE: Final = timedelta(seconds=5)  # the first anomaly: a request that fails is told of when it ends
LOOK_EVERY: Final = timedelta(seconds=10)  # at the requests of an open incident: reading them costs


class Arrived(NamedTuple):
    """One record of topic `anomalies`."""

    partition: int
    offset: int
    value: bytes


@dataclass(frozen=True)
class Knowledge:
    """What is known beside the anomalies; replaced as a whole when a model or catalog changes."""

    graph: DependencyGraph
    catalog: dict[str, Entity]
    ranker: Ranker
    usual: Usual
    names: Mapping[str, str]  # texts of template ids
    model_version: str


@dataclass
class Surroundings:
    """Where a step may look: requests and changes between two times, empty when nothing answers; what lines mean."""

    requests: Callable[[datetime, datetime], SeenRequests]
    changes: Callable[[datetime, datetime], Sequence[Change]]
    similarity: Callable[[Sequence[str], Iterable[str]], Mapping[str, float]]  # of lines to what a catalog says


@dataclass
class _Looked:
    """What the last look at an incident's requests found."""

    at: datetime
    symptoms: list[Symptom] = field(default_factory=list)


class Tracker:
    """Follows topic `anomalies`; nothing of it is lost with the process but looks, which are taken again."""

    def __init__(self, store: IncidentStore, knowledge: Knowledge, surroundings: Surroundings) -> None:
        self._store = store
        self.knowledge = knowledge
        self._surroundings = surroundings
        self._grouping = store.grouping()
        self._offsets = store.offsets()
        self._looked: dict[str, _Looked] = {}
        self._alarms = FalseAlarms()
        self.learn()
        self.unreadable = 0  # records of the topic that are no anomaly, since the start
        self.called_normal = 0  # anomalies that verdicts call normal, since the start

    @property
    def offsets(self) -> dict[int, int]:
        """The next offset to read of each partition."""
        return dict(self._offsets)

    def learn(self) -> None:
        """Go by what the verdicts teach by now."""
        self._alarms = FalseAlarms.of(self._store.verdicts())

    def step(self, arrived: Sequence[Arrived], now: datetime) -> list[Incident]:
        """Take records in, resolve what has been quiet, and keep it; return the incidents that changed."""
        changed: dict[str, Group] = {}
        for record in arrived:
            self._offsets[record.partition] = record.offset + 1
            try:
                anomaly = self._named(read_anomaly(record.value))
            except DecodeError:
                self.unreadable += 1
                continue
            if is_normal(anomaly, self._alarms):
                self.called_normal += 1
                continue
            changed |= {group.incident_id: group for group in self._grouping.take(anomaly, self.knowledge.graph)}
        changed |= {group.incident_id: group for group in self._grouping.close(now)}
        changed |= {group.incident_id: group for group in self._due(now)}
        ranked: dict[str, Candidates] = {}
        incidents = [self._diagnose(group, now, ranked) for group in changed.values()]
        if arrived or incidents:
            patterns = {name: patterns_of(self._symptoms(group)) for name, group in changed.items()}
            self._store.commit(self._grouping, self._offsets, incidents, patterns, ranked)
        for group in changed.values():
            if group.state is not IncidentState.OPEN:
                self._looked.pop(group.incident_id, None)
        return incidents

    def _named(self, anomaly: AnyAnomaly) -> AnyAnomaly:
        """Return an anomaly by the catalog's name of its service: that is what dependencies go by."""
        return msgspec.structs.replace(anomaly, service_name=own_name(self.knowledge.catalog, anomaly.service_name))

    def _symptoms(self, group: Group) -> list[Symptom]:
        looked = self._looked.get(group.incident_id)
        return [*group.symptoms, *(looked.symptoms if looked else ())]

    def _due(self, now: datetime) -> list[Group]:
        """Return open incidents whose requests have not been looked at for a while."""
        return [
            group
            for group in self._grouping.groups.values()
            if group.incident_id not in self._looked or now - self._looked[group.incident_id].at >= LOOK_EVERY
        ]

    def _diagnose(self, group: Group, now: datetime, ranked: dict[str, Candidates]) -> Incident:
        """Return the incident as it stands; its candidates are put into `ranked`."""
        known, looked = self.knowledge, self._look(group, now)
        changes = self._surroundings.changes(group.opened_at, now)
        symptoms = [*group.symptoms, *looked.symptoms]
        alike = self._surroundings.similarity(said_first(symptoms), who_may(symptoms, known.graph))
        situation = Situation(symptoms, known.graph, known.catalog, changes, alike)
        before = self._store.find(group.incident_id)
        stamp = Stamp(before.version + 1 if before else 1, known.model_version, now)
        ranked[group.incident_id] = candidates_of(situation)
        return diagnose(group, situation, known.ranker, stamp, ranked[group.incident_id])

    def _look(self, group: Group, now: datetime) -> _Looked:
        looked = self._looked.get(group.incident_id)
        if looked is None or (group.state is IncidentState.OPEN and now - looked.at >= LOOK_EVERY):
            until = now if group.state is IncidentState.OPEN else group.last_at
            seen = self._surroundings.requests(group.opened_at - LOOK_BEFORE, until)
            found = self.knowledge.usual.symptoms(seen, self.knowledge.names)
            looked = _Looked(now, [symptom.of(self.knowledge.catalog) for symptom in found])
            self._looked[group.incident_id] = looked
        return looked
