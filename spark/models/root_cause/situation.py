"""An incident as the ranker sees it: symptoms, changes and dependencies, made into numbers per candidate."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Self

import numpy as np

from faultline.catalog.entities import Entity
from faultline.catalog.graph import DependencyGraph
from faultline.feedback import CandidateTable
from spark.models.root_cause.symptoms import MOST_SURPRISE, Symptom, SymptomKind

DECAY: Final = 0.7  # of what a dependency explains, per hop: each service between may fail for a reason of its own
FIRST_SECONDS: Final = 5.0  # after the first symptom; a batch and the shortest window lie between
CHANGE_SECONDS: Final = 600.0  # most faults of a release show in the first minutes
OWN: Final = tuple(f"own_{kind}" for kind in SymptomKind)
FEATURES: Final = (*OWN, "first", "explains", "explained", "touches", "named", "blames", "text", "changed", "is_change")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(?::\d+)?")


@dataclass(frozen=True)
class Change:
    """A deployment, commit, change of configuration or event of the cloud."""

    event_id: str
    at: datetime
    text: str
    services: tuple[str, ...]  # that it may have touched, by the catalog or by its text


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


def candidates_of(situation: Situation) -> Candidates:
    """Return every service and change for which anything speaks, services first, by name.

    Linear in symptoms and in what depends on the abnormal services within graph.MAX_HOPS, not in the catalog.
    """
    said, changed = _said_of_others(situation), _changed(situation)
    named = {
        name: max(said_of[name] for said_of in said.values() if name in said_of) for name in set().union(*said.values())
    }
    reached = {other for name in situation.by_service for other in situation.graph.dependencies(name)}
    callers = {symptom.caller for symptom in situation.symptoms if symptom.caller}
    names = sorted({*situation.by_service, *named, *reached, *changed, *callers})
    rows = {
        name: _row(
            situation,
            name,
            [
                named.get(name, 0.0),
                _blames(situation, name, said.get(name, {})),
                situation.similarity.get(name, 0.0),
                changed.get(name, 0.0),
            ],
        )
        for name in names
    }
    changes = sorted(situation.changes, key=lambda change: (change.at, change.event_id))
    of_changes = [_change_row(situation, change, rows) for change in changes]
    x = np.array([*rows.values(), *of_changes], np.float64).reshape(-1, len(FEATURES))
    return Candidates((*names, *(change.event_id for change in changes)), (*(None for _ in names), *changes), x)


def _scaled(symptom: Symptom) -> float:
    """Return the surprise on a scale from 0 to 1: orders of magnitude count, not nats."""
    return math.log1p(symptom.surprise) / math.log1p(MOST_SURPRISE)


def _row(situation: Situation, name: str, others: list[float]) -> list[float]:
    symptoms = situation.by_service.get(name, [])
    own = [max((_scaled(s) for s in symptoms if s.kind is kind), default=0.0) for kind in SymptomKind]
    graph = [_explains(situation, name), _explained(situation, name), _touches(situation, name)]
    relations = [_first(situation, symptoms), *graph]
    return [*own, *relations, *others, 0.0]


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

    A slow way in and out slows all of its calls.
    """
    slow = [symptom for symptom in situation.symptoms if symptom.caller]
    total = sum(map(_scaled, slow))
    if not total:
        return 0.0
    own = sum(_scaled(symptom) for symptom in slow if name in (symptom.caller, symptom.service_name))
    return max(map(_scaled, slow)) * own / total


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
    return max((share for other, share in said.items() if other in below), default=0.0)


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
    # A deployment is told when it is done, and its fault may show before that.
    return math.exp(-max(age, 0.0) / CHANGE_SECONDS) if age > -CHANGE_SECONDS else 0.0


def _change_row(situation: Situation, change: Change, rows: Mapping[str, list[float]]) -> list[float]:
    """Return what speaks for a change: all that speaks for the most abnormal service it touched, and its freshness."""
    touched = [rows[name] for name in change.services if name in rows]
    row = list(max(touched, key=sum, default=[0.0] * len(FEATURES)))
    row[FEATURES.index("changed")] = _freshness(situation, change)
    row[FEATURES.index("is_change")] = 1.0
    return row
