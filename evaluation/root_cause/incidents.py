"""Incidents whose cause is known from whoever injected it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from spark.models.root_cause.ranker import LabelledCandidates
from spark.models.root_cause.situation import Candidates, Situation, candidates_of


@dataclass(frozen=True)
class LabelledIncident:
    """What was seen of an incident, and its cause; nothing of `situation` comes from the label."""

    name: str
    kind: str  # of the fault
    service: str  # that was broken
    causes: frozenset[str]  # names of candidates that are right: the service, or the change that broke it
    situation: Situation
    at: datetime
    errors: Mapping[str, int] = field(default_factory=dict)  # lines at ERROR and above of each service

    @cached_property
    def candidates(self) -> Candidates:
        """The candidates of the incident."""
        return candidates_of(self.situation)

    @property
    def labelled(self) -> LabelledCandidates:
        """The candidates with the causes among them: what a ranker learns from."""
        return LabelledCandidates(self.candidates, self.causes)


@dataclass(frozen=True)
class IncidentSet:
    """The incidents of one origin."""

    name: str
    incidents: tuple[LabelledIncident, ...]
    services: int  # that a guess would choose from
    notes: Sequence[str] = ()
