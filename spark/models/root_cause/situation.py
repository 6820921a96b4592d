"""An incident as the ranker sees it: symptoms, changes and dependencies, made into numbers per candidate."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final, NamedTuple, Self

import numpy as np

from faultline.catalog.entities import RESOURCE, Entity
from faultline.catalog.graph import DependencyGraph
from faultline.feedback import CandidateTable
from spark.models.root_cause.symptoms import MOST_SURPRISE, Symptom, SymptomKind

DECAY: Final = 0.7  # of what a dependency explains, per hop: each service between may fail for a reason of its own
FIRST_SECONDS: Final = 5.0  # after the first symptom; a batch and the shortest window lie between
CHANGE_SECONDS: Final = 20.0  # after which a change is half as suspect: as closely as a begin is known
LATE_SECONDS: Final = 10.0  # that a change may be told late: a version is told by the next poll of a health page
MOST_BLAME: Final = 0.9  # some of the doubt stays: a name may be in a line by chance, or by intent
OWN: Final = tuple(f"own_{kind}" for kind in SymptomKind)
FEATURES: Final = (*OWN, "first", "explains", "explained", "touches", "named", "blames", "text", "changed", "is_change")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(?::\d+)?")


@dataclass(frozen=True)
class Change:
    """A deployment, commit, change of configuration or event of the cloud."""

    event_id: str
    at: datetime
    text: str
    services: tuple[str, ...]  # that it may have touched: that spoke of it, or that its text names
    kinds: frozenset[str] = frozenset()  # of the events that tell of it


@dataclass(frozen=True)
class Situation:
    """Everything known of an incident at a moment; order of symptoms does not matter."""

    symptoms: Sequence[Symptom]
    graph: DependencyGraph
    catalog: Mapping[str, Entity] = field(default_factory=dict)  # by name in the logs
    changes: Sequence[Change] = ()
    similarity: Mapping[str, float] = field(default_factory=dict)  # of the lines' text to a candidate's, 0 to 1

    @cached_property
    def by_service(self) -> dict[str, list[Symptom]]:
        """The symptoms of each service that has any."""
        found: dict[str, list[Symptom]] = defaultdict(list)
        for symptom in self.symptoms:
            found[symptom.service_name].append(symptom)
        return dict(found)

    def is_resource(self, name: str) -> bool:
        """Return whether a name is a store or a machine, as the catalog has it."""
        return name in self.catalog and self.catalog[name].ref.kind == RESOURCE

    @cached_property
    def shared(self) -> dict[str, list[float]]:
        """What all services on a machine, or of a store, have in common, for each kind: what else shows of it."""
        found: dict[str, list[float]] = {}
        for resource in {other for name in self.by_service for other in self.graph.called(name)}:
            above = self.graph.callers(resource)
            if not self.is_resource(resource):
                continue
            if len(above) < 2 or not above <= self.by_service.keys():  # one that is as usual shares nothing
                found[resource] = [0.0] * len(SymptomKind)
            else:
                found[resource] = [min(self.greatest(name, kind) for name in above) for kind in SymptomKind]
        return found

    @cached_property
    def overloads(self) -> dict[str, float]:
        """How certainly all that runs on a machine has more to do than usual, 0 to 1."""
        place = list(SymptomKind).index(SymptomKind.LOAD)
        return {name: -math.expm1(-_surprise(kinds[place])) for name, kinds in self.shared.items()}

    def greatest(self, name: str, kind: SymptomKind) -> float:
        """Return the greatest symptom of a kind that a service has, 0 to 1."""
        return max((_scaled(s) for s in self.by_service.get(name, ()) if s.kind is kind), default=0.0)

    @cached_property
    def severity(self) -> dict[str, float]:
        """How certainly a service is abnormal, 0 to 1, by its greatest symptom."""
        return {name: max(map(_scaled, symptoms)) for name, symptoms in self.by_service.items()}

    @cached_property
    def start(self) -> datetime | None:
        """When the first symptom showed."""
        return min((symptom.since for symptom in self.symptoms if symptom.since), default=None)


@dataclass(frozen=True)
class Candidates:
    """What may be the cause, and the numbers that speak for it: float64 [n, len(FEATURES)], each 0 to 1."""

    names: tuple[str, ...]  # of services; of a change its event id
    changes: tuple[Change | None, ...]
    x: np.ndarray[Any, np.dtype[np.float64]]

    def table(self) -> CandidateTable:
        """Return names and numbers: what a ranker learns from; the texts of changes are left out."""
        return CandidateTable(list(FEATURES), list(self.names), self.x.round(6).tolist())

    @classmethod
    def of(cls, table: CandidateTable) -> Self:
        """Read what `table` gave; features that are new by now are 0, those that are gone are left out."""
        places = [table.features.index(name) if name in table.features else None for name in FEATURES]
        rows = [[0.0 if place is None else row[place] for place in places] for row in table.x]
        names = tuple(table.names)
        return cls(names, (None,) * len(names), np.array(rows, np.float64).reshape(-1, len(FEATURES)))


class _Others(NamedTuple):
    """What speaks for a service beside its own symptoms and the graph."""

    named: float
    blames: float
    text: float
    changed: float


def candidates_of(situation: Situation) -> Candidates:
    """Return every service and change for which anything speaks, services first, by name.

    Linear in symptoms, in what depends on the abnormal services within graph.MAX_HOPS, and in names of the catalog.
    """
    said, changed = _said_of_others(situation), _changed(situation)
    named = {
        name: max(said_of[name] for said_of in said.values() if name in said_of) for name in set().union(*said.values())
    }
    reached = {other for name in situation.by_service for other in situation.graph.dependencies(name)}
    callers = {symptom.caller for symptom in situation.symptoms if symptom.caller}
    names = sorted({*situation.by_service, *named, *reached, *changed, *callers})
    rows = {}
    for name in names:
        blames, alike = _blames(situation, name, said.get(name, {})), situation.similarity.get(name, 0.0)
        others = _Others(named.get(name, 0.0), blames, alike, changed.get(name, 0.0))
        rows[name] = _row(situation, name, others)
    changes = sorted(situation.changes, key=lambda change: (change.at, change.event_id))
    of_changes = [_change_row(situation, change, rows) for change in changes]
    x = np.array([*rows.values(), *of_changes], np.float64).reshape(-1, len(FEATURES))
    return Candidates((*names, *(change.event_id for change in changes)), (*(None for _ in names), *changes), x)


def _scaled(symptom: Symptom) -> float:
    """Return the surprise on a scale from 0 to 1: orders of magnitude count, not nats."""
    return math.log1p(symptom.surprise) / math.log1p(MOST_SURPRISE)


def _surprise(scaled: float) -> float:
    """Return the nats that `_scaled` was made from."""
    return math.expm1(scaled * math.log1p(MOST_SURPRISE))


def _row(situation: Situation, name: str, others: _Others) -> list[float]:
    """Return the numbers of a service; what it says itself to be another's fault does not speak against it."""
    graph = [_explains(situation, name), _explained(situation, name), _touches(situation, name)]
    first = _first(situation, situation.by_service.get(name, [])) * (1.0 - others.blames)
    words = [others.named * (1.0 - others.blames), others.blames, others.text]
    own = _own(situation, name, others.blames)
    if name in situation.shared:  # it may write lines of its own, too
        own = list(map(max, own, situation.shared[name]))
    return [*own, first, *graph, *words, others.changed, 0.0]


def _own(situation: Situation, name: str, blames: float) -> list[float]:
    """Return the greatest symptom of each kind, as far as it cannot be another's fault.

    A service's time contains that of those it waits for; how long others wait for it beyond its own time does not.
    What shows while all on one machine have more to do than usual is the load's.
    """
    called = situation.graph.called(name)
    slower = max((situation.greatest(other, SymptomKind.TIME) for other in called), default=0.0)
    overload = max((situation.overloads.get(other, 0.0) for other in called), default=0.0)
    found = []
    for kind in SymptomKind:
        greatest = situation.greatest(name, kind)
        if kind is SymptomKind.TIME:
            waited = max((_scaled(s) for s in situation.by_service.get(name, ()) if s.caller), default=0.0)
            greatest = max(greatest * (1.0 - blames) * (1.0 - slower), waited)
        elif kind is not SymptomKind.RESOURCE:
            greatest *= 1.0 - blames
        found.append(greatest * (1.0 - overload))
    return found


def _first(situation: Situation, symptoms: Iterable[Symptom]) -> float:
    since = min((symptom.since for symptom in symptoms if symptom.since), default=None)
    if since is None or situation.start is None:
        return 0.0
    return math.exp(-(since - situation.start).total_seconds() / FIRST_SECONDS)


def _explains(situation: Situation, name: str) -> float:
    """Return the share of the other services' abnormality that a failure of this one would explain."""
    above = situation.graph.dependents(name)
    others = {other: severity for other, severity in situation.severity.items() if other != name}
    total = sum(others.values())
    if not total:
        return 0.0
    return sum(severity * DECAY ** (above[other] - 1) for other, severity in others.items() if other in above) / total


def _explained(situation: Situation, name: str) -> float:
    """Return how abnormal the worst dependency is, beyond which the service may be fine itself."""
    below = situation.graph.dependencies(name)
    return max((situation.severity.get(other, 0.0) * DECAY ** (hops - 1) for other, hops in below.items()), default=0.0)


def _touches(situation: Situation, name: str) -> float:
    """Return which share of the slow calls begins or ends at a service, by how slow the slowest is.

    A slow way in and out slows all of its calls: it counts by the share of them that are slow.
    """
    slow = [symptom for symptom in situation.symptoms if symptom.caller]
    total = sum(map(_scaled, slow))
    if not total:
        return 0.0
    own = [symptom for symptom in slow if name in (symptom.caller, symptom.service_name)]
    ends = {end for symptom in own for end in (symptom.caller, symptom.service_name)} - {name}
    around = situation.graph.called(name) | situation.graph.callers(name)
    calls = {other for other in around if not situation.is_resource(other)}
    of_calls = len(ends) / max(len(calls | ends), 1)
    return max(map(_scaled, slow)) * sum(map(_scaled, own)) / total * of_calls


def _said_of_others(situation: Situation) -> dict[str, dict[str, float]]:
    """Return which share of a service's abnormal lines names another, by name or address, for each that says so."""
    names = _names(situation)
    found: dict[str, dict[str, float]] = {}
    for service, symptoms in situation.by_service.items():
        lines = [symptom.text for symptom in symptoms if symptom.line is not None]
        counts: Counter[str] = Counter()
        for text in lines:
            words = {word.lower().rstrip(".-:") for word in _WORD.findall(text)}
            counts.update({names[word] for word in words if word in names} - {service})
        if counts:
            found[service] = {name: count / len(lines) for name, count in counts.items()}
    return found


def _blames(situation: Situation, name: str, said: Mapping[str, float]) -> float:
    """Return how much of what a service says names one that it depends on: it fails because of that one, it says."""
    below = situation.graph.dependencies(name)
    return min(max((share for other, share in said.items() if other in below), default=0.0), MOST_BLAME)


def _names(situation: Situation) -> dict[str, str]:
    """Return the service that a word in a line means: its name, an alias or an address."""
    words = {name.lower(): name for name in situation.by_service}
    for name, entity in situation.catalog.items():
        for word in (name, *entity.addresses):
            words[word.lower()] = entity.name
    return words


def _changed(situation: Situation) -> dict[str, float]:
    """Return how fresh the last change of a service was when the incident began, 1 falling to 0."""
    found: dict[str, float] = {}
    for change in situation.changes:
        freshness = _freshness(situation, change)
        for name in change.services:
            found[name] = max(found.get(name, 0.0), freshness)
    return {name: freshness for name, freshness in found.items() if freshness > 0}


def _freshness(situation: Situation, change: Change) -> float:
    if situation.start is None:
        return 0.0
    age = (situation.start - change.at).total_seconds()
    return 1.0 / (1.0 + max(age, 0.0) / CHANGE_SECONDS) if age > -LATE_SECONDS else 0.0


def _change_row(situation: Situation, change: Change, rows: Mapping[str, list[float]]) -> list[float]:
    """Return what speaks for a change: all that speaks for the most abnormal service it touched, and its freshness."""
    touched = [rows[name] for name in change.services if name in rows]
    row = list(max(touched, key=sum, default=[0.0] * len(FEATURES)))
    row[FEATURES.index("changed")] = _freshness(situation, change)
    row[FEATURES.index("is_change")] = 1.0
    return row
