"""Rank each incident by what was learned from others: those of other kinds of fault, other services, other systems."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from evaluation.root_cause.arms import Arm
from evaluation.root_cause.incidents import IncidentSet, LabelledIncident
from faultline.errors import TrainingDataError


class HoldOut(StrEnum):
    """What an incident shares with none of those that were learned from."""

    KIND = "kind"
    SERVICE = "service"
    KIND_AND_SERVICE = "kind and service"
    SYSTEM = "system"


@dataclass(frozen=True)
class Ranked:
    """One incident as an arm ranked it."""

    incident: LabelledIncident
    arm: str
    hold_out: HoldOut
    order: tuple[str, ...]
    learned_from: int

    @property
    def rank(self) -> int | None:
        """The place of the best cause, from 1; None when it is not named."""
        return next((place for place, name in enumerate(self.order, 1) if name in self.incident.causes), None)


def rank_held_out(arm: Arm, target: IncidentSet, sets: Sequence[IncidentSet], hold_out: HoldOut) -> list[Ranked]:
    """Return every incident of `target`, ranked by the arm after it has learned from all incidents it may.

    Where nothing is left to learn from, an arm ranks as it does untrained.
    """
    fitted: dict[Hashable, tuple[Arm, int]] = {}
    found = []
    for incident in target.incidents:
        key = _key(incident, target, hold_out)
        if key not in fitted:
            fitted[key] = _fit(arm, _others(incident, target, sets, hold_out))
        learned, count = fitted[key]
        found.append(Ranked(incident, arm.name, hold_out, tuple(learned.rank(incident)), count))
    return found


def _fit(arm: Arm, incidents: list[LabelledIncident]) -> tuple[Arm, int]:
    if not arm.learns or not incidents:
        return arm, 0
    try:
        return arm.fit(incidents), len(incidents)
    except TrainingDataError:  # none of them has its cause among its candidates
        return arm, 0


def _key(incident: LabelledIncident, target: IncidentSet, hold_out: HoldOut) -> Hashable:
    """Return what decides which incidents may be learned from."""
    return {
        HoldOut.KIND: incident.kind,
        HoldOut.SERVICE: incident.service,
        HoldOut.KIND_AND_SERVICE: (incident.kind, incident.service),
        HoldOut.SYSTEM: target.name,
    }[hold_out]


def _others(
    incident: LabelledIncident, target: IncidentSet, sets: Sequence[IncidentSet], hold_out: HoldOut
) -> list[LabelledIncident]:
    shares: dict[HoldOut, Callable[[IncidentSet, LabelledIncident], bool]] = {
        HoldOut.KIND: lambda _, other: other.kind == incident.kind,
        HoldOut.SERVICE: lambda _, other: other.service == incident.service,
        HoldOut.KIND_AND_SERVICE: lambda _, other: incident.kind == other.kind or incident.service == other.service,
        HoldOut.SYSTEM: lambda origin, _: origin.name == target.name,
    }
    return [other for origin in sets for other in origin.incidents if not shares[hold_out](origin, other)]
