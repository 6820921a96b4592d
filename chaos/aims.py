"""What was asked of the ml side and of the run, each with what was measured: reached, not reached, or not measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isnan
from typing import Final

from chaos.comparison import ALL, OURS, Figures, Pair, kinds_of
from chaos.misses import leaves_trace
from chaos.quiet import NormalTime
from chaos.records import SIDES, Evidence
from chaos.timings import Reaction
from faultline.statistics import Estimate, median, share

# The numbers of the issue this experiment was written for; they were set before the first run.
DETECTED_SHARE: Final = 0.95
MEDIAN_SECONDS: Final = 5.0
ALARMS_A_DAY: Final = 1.0
QUIET_SHARE: Final = 0.80
RESOLVED_SECONDS: Final = 30.0
KINDS: Final = 12
REPEATS: Final = 5
NORMAL_HOURS: Final = 0.5


class Verdict(StrEnum):
    """About what this run observed; the interval beside it says how far that carries."""

    REACHED = "reached"
    MISSED = "not reached"
    UNMEASURED = "not measured"


@dataclass(frozen=True)
class Aim:
    """One aim: what was wanted, what came out, and what else must be known to judge it."""

    wanted: str
    verdict: Verdict
    value: str
    note: str = ""


def aims(
    reactions: Sequence[Reaction],
    evidence: Mapping[int, Evidence],
    sides: Sequence[Figures],
    pairs: Sequence[Pair],
    normal: Sequence[NormalTime],
) -> list[Aim]:
    """Return all aims, those of the ml side first."""
    known = [reaction for reaction in reactions if reaction.side == OURS and reaction.known]
    faults = [reaction for reaction in known if not reaction.injection.benign]
    figures = {row.side: row for row in sides}
    return [
        detection_aim(faults, evidence),
        median_aim(figures.get(OURS)),
        *(against_aim(pairs, side) for side in SIDES[1:]),
        false_alarm_aim(next((row for row in normal if row.side == OURS), None)),
        distractor_aim([reaction for reaction in known if reaction.injection.benign]),
        resolved_aim(faults),
        extent_aim(reactions, normal),
    ]


def _verdict(reached: bool) -> Verdict:
    return Verdict.REACHED if reached else Verdict.MISSED


def detection_aim(faults: Sequence[Reaction], evidence: Mapping[int, Evidence]) -> Aim:
    """Every kind of fault that leaves a trace is detected in 95 % of its injections."""
    wanted = (
        "every kind of fault that leaves any trace in logs or metrics is detected in at least 95 % of its injections"
    )
    if not faults:
        return Aim(wanted, Verdict.UNMEASURED, "no fault yet")
    by_kind = {kind: [r for r in faults if r.injection.kind == kind] for kind in kinds_of(faults)}
    traced = {k: own for k, own in by_kind.items() if leaves_trace((r.injection.number for r in own), evidence)}
    counts = {kind: (sum(r.detected for r in own), len(own)) for kind, own in traced.items()}
    below = [f"{kind} ({hits} of {n})" for kind, (hits, n) in counts.items() if hits / n < DETECTED_SHARE]
    hits = sum(hits for hits, _ in counts.values())
    total = share(hits, sum(n for _, n in counts.values()))
    traceless = sorted(by_kind.keys() - traced.keys())
    notes = [f"Below: {', '.join(below)}."] if below else []
    notes += [f"Left no trace, so not asked for: {', '.join(traceless)}."] if traceless else []
    value = f"{len(traced) - len(below)} of {len(traced)} kinds; {hits} of {total.count} injections, {percent(total)}"
    return Aim(wanted, _verdict(not below), value, " ".join(notes))


def median_aim(own: Figures | None) -> Aim:
    """Median MTTD of at most 5 s, a miss counted as the length of the fault."""
    wanted = f"median MTTD of at most {MEDIAN_SECONDS:.0f} s"
    if own is None or not own.injections:
        return Aim(wanted, Verdict.UNMEASURED, "no fault yet")
    figure = own.mttd_with_misses
    note = f"Of {own.detected} detected ones alone: {seconds(own.mttd)}." if own.detected < own.injections else ""
    return Aim(wanted, _verdict(figure.value <= MEDIAN_SECONDS), seconds(figure), note)


def against_aim(pairs: Sequence[Pair], side: str) -> Aim:
    """A median below that of another side, over the injections known of both; the paired difference beside it."""
    wanted = f"median MTTD below that of {side}"
    pair = next((pair for pair in pairs if pair.kind == ALL and pair.against == side), None)
    if pair is None or not pair.injections:
        return Aim(wanted, Verdict.UNMEASURED, "no fault that both reacted to freely")
    note = (
        f"Per injection, {OURS} less {side}: median {seconds(pair.difference)}; sooner in {pair.sooner} of"
        f" {pair.injections}, later in {pair.later}, both missed {pair.neither}. A miss counts as the length of the"
        " fault, which favours the side that missed."
    )
    value = f"{pair.ours.value:.1f} s against {pair.other.value:.1f} s in {pair.injections} injections"
    return Aim(wanted, _verdict(pair.ours.value < pair.other.value), value, note)


def false_alarm_aim(normal: NormalTime | None) -> Aim:
    """At most one false alarm in 24 h of normal traffic."""
    wanted = "at most 1 false alarm per 24 h of normal traffic"
    if normal is None or (normal.hours < NORMAL_HOURS and not normal.alarms):
        watched = f"{60 * normal.hours:.0f} min" if normal else "nothing"
        return Aim(wanted, Verdict.UNMEASURED, f"{watched} watched, at least {60 * NORMAL_HOURS:.0f} min wanted")
    daily = normal.per_day
    value = f"{normal.alarms} in {normal.hours:.1f} h: {daily.value:.1f} per 24 h ({daily.low:.1f} to {daily.high:.0f})"
    short = daily.value <= ALARMS_A_DAY < daily.high
    note = f"So short a time cannot prove it: up to {daily.high:.0f} per 24 h would fit, too." if short else ""
    return Aim(wanted, _verdict(daily.value <= ALARMS_A_DAY), value, note)


def distractor_aim(benign: Sequence[Reaction]) -> Aim:
    """No alert on 80 % of the harmless changes: of the kinds, and of the times they were made."""
    wanted = "no alert on at least 80 % of the harmless changes"
    if not benign:
        return Aim(wanted, Verdict.UNMEASURED, "no harmless change yet")
    loud = kinds_of(reaction for reaction in benign if reaction.fired)
    kinds = share(len(kinds_of(benign)) - len(loud), len(kinds_of(benign)))
    made = share(sum(not reaction.fired for reaction in benign), len(benign))
    value = (
        f"{kinds.count - len(loud)} of {kinds.count} kinds always quiet ({kinds.value:.0%}); quiet in"
        f" {sum(not reaction.fired for reaction in benign)} of {made.count} times, {percent(made)}"
    )
    note = f"Fired on: {', '.join(loud)}." if loud else ""
    return Aim(wanted, _verdict(min(kinds.value, made.value) >= QUIET_SHARE), value, note)


def resolved_aim(faults: Sequence[Reaction]) -> Aim:
    """Every alert of a fault is gone 30 s after it; one that fires on is not."""
    wanted = f"resolved at most {RESOLVED_SECONDS:.0f} s after the fault ends"
    detected = [reaction for reaction in faults if reaction.detected]
    if not detected:
        return Aim(wanted, Verdict.UNMEASURED, "nothing was detected")
    times = [reaction.recovery_seconds for reaction in detected if reaction.recovery_seconds is not None]
    soon = sum(time <= RESOLVED_SECONDS for time in times)
    slow = kinds_of(r for r in detected if (r.recovery_seconds or 0) > RESOLVED_SECONDS or r.unresolved)
    middle = median(times, seed=0)
    longest = f", longest {max(times):.0f} s" if times else ""
    unresolved = len(detected) - len(times)
    notes = [f"Longer: {', '.join(slow)}."] if slow else []
    notes += [f"{unresolved} fired on when the run ended."] if unresolved else []
    value = f"{soon} of {len(detected)} in time, median {_number(middle.value)} s{longest}"
    return Aim(wanted, _verdict(soon == len(detected)), value, " ".join(notes))


def extent_aim(reactions: Sequence[Reaction], normal: Sequence[NormalTime]) -> Aim:
    """Twelve kinds of fault, five repeats of each, half an hour of normal time: what a full run is."""
    wanted = f"a full run: {KINDS} kinds of fault, {REPEATS} times each, {60 * NORMAL_HOURS:.0f} min of normal traffic"
    faults = {r.injection.number: r.injection.kind for r in reactions if not r.injection.benign}
    kinds = list(faults.values())
    fewest = min((kinds.count(kind) for kind in kinds), default=0)
    minutes = 60 * normal[0].hours if normal else 0.0
    reached = len(set(kinds)) >= KINDS and fewest >= REPEATS and minutes >= 60 * NORMAL_HOURS
    value = f"{len(set(kinds))} kinds, at least {fewest} times each, {minutes:.0f} min"
    return Aim(wanted, _verdict(reached), value)


def seconds(estimate: Estimate) -> str:
    """Return a figure in seconds with its interval."""
    if isnan(estimate.value):
        return "–"
    interval = "" if isnan(estimate.low) else f" ({estimate.low:.1f} to {estimate.high:.1f})"
    return f"{estimate.value:.1f} s{interval}"


def percent(estimate: Estimate) -> str:
    """Return a share with its interval."""
    if isnan(estimate.value):
        return "–"
    return f"{estimate.value:.0%} ({estimate.low:.0%} to {estimate.high:.0%})"


def _number(value: float) -> str:
    return "–" if isnan(value) else f"{value:.0f}"
