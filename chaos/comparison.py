"""How each side did on the faults: by kind, over all of them, and paired per injection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from chaos.records import SIDES
from chaos.timings import Reaction
from faultline.statistics import Estimate, clustered_median, median, share

OURS: Final = SIDES[0]
ALL: Final = "all"  # kind of the rows over every fault


@dataclass(frozen=True)
class Figures:
    """How one side did on one kind of fault, or on all; seconds. `mttd`: of what was detected.

    `mttd_with_misses` counts a miss as the length of the fault. `unknown` injections are in no other figure.
    """

    kind: str
    side: str
    injections: int
    unknown: int
    detected: int
    detection: Estimate
    mttd: Estimate
    mttd_with_misses: Estimate
    mttr: Estimate
    unresolved: int
    diagnosed: int
    diagnosis: Estimate


@dataclass(frozen=True)
class Pair:
    """MTTD of the ml side less that of another one, in seconds, per injection; below 0: the ml side was sooner.

    Of the injections whose reaction is known of both. A miss counts as the length of the fault, which favours the side
    that missed; `neither`: both missed. `ours` and `other` are the medians of the two sides.
    """

    kind: str
    against: str
    injections: int
    ours: Estimate
    other: Estimate
    difference: Estimate
    sooner: int
    later: int
    neither: int


def fault_figures(reactions: Sequence[Reaction], seed: int) -> list[Figures]:
    """Return a row a kind of fault and side, kinds in the order of their names."""
    faults = [reaction for reaction in reactions if not reaction.injection.benign]
    return [
        _figures([r for r in faults if r.injection.kind == kind and r.side == side], kind, seed)
        for kind in kinds_of(faults)
        for side in SIDES
    ]


def side_figures(reactions: Sequence[Reaction], seed: int) -> list[Figures]:
    """Return a row a side over all faults; its intervals draw kinds of fault, see clustered_median."""
    faults = [reaction for reaction in reactions if not reaction.injection.benign]
    return [_figures(own, ALL, seed) for side in SIDES if (own := [r for r in faults if r.side == side])]


def kinds_of(reactions: Iterable[Reaction]) -> list[str]:
    """Return each kind once, by name."""
    return sorted({reaction.injection.kind for reaction in reactions})


def _figures(own: Sequence[Reaction], kind: str, seed: int) -> Figures:
    known = [reaction for reaction in own if reaction.known]
    detected = [reaction for reaction in known if reaction.detected]
    diagnosed = [r for r in detected if r.diagnosis_seconds is not None]
    resolved = [r for r in detected if r.recovery_seconds is not None]
    return Figures(
        kind=kind,
        side=own[0].side,
        injections=len(known),
        unknown=len(own) - len(known),
        detected=len(detected),
        detection=share(len(detected), len(known)),
        mttd=_median(detected, "detection_seconds", kind, seed),
        mttd_with_misses=_median(known, "censored_seconds", kind, seed),
        mttr=_median(resolved, "recovery_seconds", kind, seed),
        unresolved=sum(reaction.unresolved for reaction in detected),
        diagnosed=len(diagnosed),
        diagnosis=_median(diagnosed, "diagnosis_seconds", kind, seed),
    )


def _median(reactions: Sequence[Reaction], value: str, kind: str, seed: int) -> Estimate:
    values = [getattr(reaction, value) for reaction in reactions]
    if kind != ALL:
        return median(values, seed)
    return clustered_median(values, [reaction.injection.kind for reaction in reactions], seed)


def pairs(reactions: Sequence[Reaction], seed: int) -> list[Pair]:
    """Return the comparison of the ml side with each other side, over all faults and per kind."""
    faults = [reaction for reaction in reactions if not reaction.injection.benign and reaction.known]
    by_key = {(reaction.injection.number, reaction.side): reaction for reaction in faults}
    both = {
        side: [(r, by_key[r.injection.number, side]) for r in faults if r.side == OURS and _has(by_key, r, side)]
        for side in SIDES[1:]
    }
    return [
        _pair([pair for pair in both[side] if kind in (ALL, pair[0].injection.kind)], kind, side, seed)
        for kind in [ALL, *kinds_of(faults)]
        for side in both
    ]


def _has(by_key: dict[tuple[int, str], Reaction], reaction: Reaction, side: str) -> bool:
    return (reaction.injection.number, side) in by_key


def _pair(found: Sequence[tuple[Reaction, Reaction]], kind: str, against: str, seed: int) -> Pair:
    differences = [ours.censored_seconds - other.censored_seconds for ours, other in found]
    clusters = [ours.injection.kind if kind == ALL else str(ours.injection.number) for ours, _ in found]
    return Pair(
        kind=kind,
        against=against,
        injections=len(found),
        ours=clustered_median([ours.censored_seconds for ours, _ in found], clusters, seed),
        other=clustered_median([other.censored_seconds for _, other in found], clusters, seed),
        difference=clustered_median(differences, clusters, seed),
        sooner=sum(value < 0 for value in differences),
        later=sum(value > 0 for value in differences),
        neither=sum(not ours.detected and not other.detected for ours, other in found),
    )
