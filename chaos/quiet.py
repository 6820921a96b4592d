"""What fired without a fault: after harmless changes, in normal time, and between injections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from chaos.comparison import kinds_of
from chaos.records import SIDES, AlertSpan
from chaos.results import Results
from chaos.timings import Reaction, false_alarms, hours_of, seconds_between, strays
from faultline.statistics import Estimate, rate, share, times

HOURS_A_DAY: Final = 24


@dataclass(frozen=True)
class Distraction:
    """What one side made of one kind of harmless change."""

    kind: str
    side: str
    injections: int
    unknown: int
    fired: int
    firing: Estimate
    alerts: str


@dataclass(frozen=True)
class NormalTime:
    """False alarms of one side while nothing was done to the stack."""

    side: str
    hours: float
    alarms: int
    per_hour: Estimate
    per_day: Estimate
    alerts: str


@dataclass(frozen=True)
class Stray:
    """A counted alert that belongs to no injection; `seconds_after` the end of the injection before it."""

    side: str
    alert: str
    service: str
    starts_at: datetime
    after: str
    seconds_after: float


def distractions(reactions: Sequence[Reaction]) -> list[Distraction]:
    """Return a row a kind of harmless change and side."""
    benign = [reaction for reaction in reactions if reaction.injection.benign]
    return [
        _distraction([r for r in benign if r.injection.kind == kind and r.side == side])
        for kind in kinds_of(benign)
        for side in SIDES
    ]


def _distraction(own: Sequence[Reaction]) -> Distraction:
    known = [reaction for reaction in own if reaction.known]
    fired = [reaction for reaction in known if reaction.fired]
    return Distraction(
        kind=own[0].injection.kind,
        side=own[0].side,
        injections=len(known),
        unknown=len(own) - len(known),
        fired=len(fired),
        firing=share(len(fired), len(known)),
        alerts=named_alerts(span for reaction in fired for span in reaction.alerts),
    )


def named_alerts(spans: Iterable[AlertSpan]) -> str:
    """Return the alerts as text, the most frequent first: `LogAnomaly payments ×3, ServiceDown orders`."""
    counts = Counter(f"{span.name} {span.service}".strip() for span in spans)
    return ", ".join(f"{name} ×{count}" if count > 1 else name for name, count in counts.most_common())


def normal_time(results: Results) -> list[NormalTime]:
    """Return a row a side; none when no normal time was watched."""
    hours = hours_of(results.normal)
    return [_normal_time(results, side, hours) for side in SIDES if hours > 0]


def _normal_time(results: Results, side: str, hours: float) -> NormalTime:
    alarms = false_alarms(results.normal, results.alerts, side)
    hourly = rate(len(alarms), hours)
    return NormalTime(side, hours, len(alarms), hourly, times(hourly, HOURS_A_DAY), named_alerts(alarms))


def stray_rows(results: Results) -> list[Stray]:
    """Return the alerts that belong to nothing, by their start."""
    return [_stray(results, span) for span in strays(results.injections, results.normal, results.alerts)]


def _stray(results: Results, span: AlertSpan) -> Stray:
    before = [injection for injection in results.injections if injection.start <= span.starts_at]
    last = max(before, key=lambda injection: injection.end, default=None)
    after = seconds_between(last.end, span.starts_at) if last else float("nan")
    return Stray(span.side, span.name, span.service, span.starts_at, last.experiment if last else "", after)
