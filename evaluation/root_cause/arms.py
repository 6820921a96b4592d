"""Ways to rank the causes of an incident: ours, and the simple ones it has to beat."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np

from evaluation.root_cause.incidents import LabelledIncident
from spark.models.root_cause.ranker import Ranker
from spark.models.root_cause.situation import FEATURES

_NEVER: Final = datetime.max.replace(tzinfo=UTC)
GRAPH: Final = frozenset({"explains", "explained"})
TEXT: Final = frozenset({"named", "text"})


class Arm(ABC):
    """Ranks candidates; what learns is fitted on other incidents than it is asked about."""

    name: str
    learns = False

    def fit(self, incidents: Sequence[LabelledIncident]) -> Arm:
        """Return the arm after it has learned from incidents whose cause is known, beside what it knows already."""
        return self

    @abstractmethod
    def rank(self, incident: LabelledIncident) -> list[str]:
        """Return the names of candidates, the most likely first."""


class Ours(Arm):
    """The ranker that the pipeline uses."""

    name = "ranker"
    learns = True

    def __init__(self, ranker: Ranker | None = None) -> None:
        self.ranker = ranker or Ranker.prior()

    def fit(self, incidents: Sequence[LabelledIncident]) -> Ours:
        return Ours(self.ranker.fit([incident.labelled for incident in incidents]))

    def rank(self, incident: LabelledIncident) -> list[str]:
        return [incident.candidates.names[place] for place in self.ranker.order(incident.candidates)]


class Untrained(Arm):
    """The ranker before it has seen any incident."""

    name = "ranker, untrained"

    def rank(self, incident: LabelledIncident) -> list[str]:
        return Ours().rank(incident)


class ErrorCount(Arm):
    """Who writes most errors; a guess that costs nothing."""

    name = "error count"

    def rank(self, incident: LabelledIncident) -> list[str]:
        return _by(incident.errors, reverse=True)


class FirstToAlert(Arm):
    """Who was abnormal first."""

    name = "first to alert"

    def rank(self, incident: LabelledIncident) -> list[str]:
        first: dict[str, float] = {}
        for symptom in incident.situation.symptoms:
            at = (symptom.since or _NEVER).timestamp()
            first[symptom.service_name] = min(first.get(symptom.service_name, at), at)
        return _by(first)


class Features(Arm):
    """The untrained ranker with some of its features only."""

    def __init__(self, name: str, features: frozenset[str]) -> None:
        self.name = name
        weights = Ranker.prior().weights
        kept = [weights[feature] if feature in features else 0.0 for feature in FEATURES]
        self._ranker = Ranker(np.array(kept))

    def rank(self, incident: LabelledIncident) -> list[str]:
        return Ours(self._ranker).rank(incident)


def _by(values: Mapping[str, float], reverse: bool = False) -> list[str]:
    """Return names by value, equals by name."""
    return sorted(values, key=lambda name: (-values[name] if reverse else values[name], name))


def all_arms() -> list[Arm]:
    """Return every arm but the guess, which is exact without ranking anything."""
    return [
        Ours(),
        Untrained(),
        ErrorCount(),
        FirstToAlert(),
        Features("graph only", GRAPH),
        Features("text only", TEXT),
    ]
