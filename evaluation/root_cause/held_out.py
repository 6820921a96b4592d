"""Rank each incident by what was learned from others: those of other kinds of fault, other services, other systems."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import suppress
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

    Other systems come first, the incident's own last: as where somebody begins with the weights that were delivered.
    Where nothing is left to learn from, an arm ranks as it does untrained.
    """
    ordered = sorted(sets, key=lambda origin: (origin.name == target.name, origin.name))
    fitted: dict[Hashable, tuple[Arm, int]] = {}
    found = []
    for incident in target.incidents:
        key = _key(incident, target, hold_out)
        if key not in fitted:
            fitted[key] = _learn(arm, (_others(incident, target, origin, hold_out) for origin in ordered))
        learned, count = fitted[key]
        found.append(Ranked(incident, arm.name, hold_out, tuple(learned.rank(incident)), count))
    return found


def _learn(arm: Arm, sets: Iterable[Sequence[LabelledIncident]]) -> tuple[Arm, int]:
    """Return the arm after one set of incidents after the other, and how many they were."""
    count = 0
    for incidents in sets:
        if arm.learns and incidents:
            with suppress(TrainingDataError):  # none of them has its cause among its candidates
                arm, count = arm.fit(incidents), count + len(incidents)
    return arm, count


def _key(incident: LabelledIncident, target: IncidentSet, hold_out: HoldOut) -> Hashable:
    """Return what decides which incidents may be learned from."""
    return {
        HoldOut.KIND: incident.kind,
        HoldOut.SERVICE: incident.service,
        HoldOut.KIND_AND_SERVICE: (incident.kind, incident.service),
        HoldOut.SYSTEM: target.name,
    }[hold_out]


def _others(
    incident: LabelledIncident, target: IncidentSet, origin: IncidentSet, hold_out: HoldOut
) -> list[LabelledIncident]:
    """Return the incidents of a set that do not share what is held out."""
    shares: dict[HoldOut, Callable[[LabelledIncident], bool]] = {
        HoldOut.KIND: lambda other: other.kind == incident.kind,
        HoldOut.SERVICE: lambda other: other.service == incident.service,
        HoldOut.KIND_AND_SERVICE: lambda other: incident.kind == other.kind or incident.service == other.service,
        HoldOut.SYSTEM: lambda _: origin.name == target.name,
    }
    return [other for other in origin.incidents if not shares[hold_out](other)]
