"""How fast a side told of an injection: the one place that defines MTTD, MTTR, time to diagnosis and false alarms.

An alert counts when its side competes and its severity is page or ticket, and belongs to at most one injection.
MTTD: injection to `starts_at` of the side's first alert of it. MTTR: end of the fault until the side's last alert of it
was gone. Time to diagnosis: injection to the side's first alert that names the target. All in seconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from chaos.records import SIDES, AlertSpan, Injection, NormalPeriod, counts

# After the end of a fault its last seconds are still under way to an alert: a scrape and an evaluation (1 s each), a
# window or `for` that was all but full (rules of ours wait 5 to 10 s), and a micro-batch. An alert that starts within
# these 10 s tells of the fault; one that starts later does not help anybody any more, and is no detection.
GRACE: Final = timedelta(seconds=10)
# An alert that starts within a minute after the end and before the next injection belongs to this one all the same: it
# prolongs MTTR, and after a harmless change it is a false alarm. A minute holds the longest window of the ml side (a
# session is judged when it has been silent) and an alert that goes and comes back.
AFTERMATH: Final = timedelta(seconds=60)
PIECES: Final = timedelta(seconds=5)  # normal time is written in pieces; between two of them nothing else was done
PAGE: Final = "page"
HOST: Final = "host"  # target of faults of the whole machine; an alert without a service names it


@dataclass(frozen=True)
class Reaction:
    """What one side did about one injection; seconds, None when there is no such time.

    `known` is False when a page of the side fired already at the start and no other alert followed: whether the first
    told of this injection, too, nobody knows. It is in no figure, which favours the side. `unresolved`: an alert of it
    fires still, so that `recovery_seconds` is not known.
    """

    injection: Injection
    side: str
    known: bool
    detection_seconds: float | None = None
    diagnosis_seconds: float | None = None
    recovery_seconds: float | None = None
    unresolved: bool = False
    alerts: tuple[AlertSpan, ...] = ()  # that belong to the injection, by their start

    @property
    def detected(self) -> bool:
        """True when the side told of the fault in time."""
        return self.known and self.detection_seconds is not None

    @property
    def fired(self) -> bool:
        """True when the side said anything, in time or late: of a harmless change, each is a false alarm."""
        return self.known and bool(self.alerts)

    @property
    def censored_seconds(self) -> float:
        """MTTD, or for a miss the length of the fault: a lower bound, which favours the side that missed."""
        seconds = self.detection_seconds
        return seconds if seconds is not None else seconds_between(self.injection.start, self.injection.end)


def seconds_between(start: datetime, end: datetime) -> float:
    """Return end - start in seconds."""
    return (end - start).total_seconds()


def is_counted(span: AlertSpan) -> bool:
    """True for an alert of a competing side that somebody is told of."""
    return counts(span.severity, span.side)


def reactions(injections: Sequence[Injection], spans: Iterable[AlertSpan]) -> list[Reaction]:
    """Return one reaction an injection and side, in the order of the injections and of SIDES."""
    counted = sorted(filter(is_counted, spans), key=lambda span: (span.starts_at, span.name, span.service))
    owned = attribute(injections, counted)
    return [
        _reaction(injection, side, owned[injection.number], _fires_before(injection, side, counted))
        for injection in injections
        for side in SIDES
    ]


def attribute(injections: Sequence[Injection], spans: Iterable[AlertSpan]) -> dict[int, list[AlertSpan]]:
    """Return the alerts by the number of the injection they belong to; an alert of none is left out.

    It belongs to the one that is under way (until GRACE after its end) when it starts, else to the one whose AFTERMATH
    has not passed; of several, to the one that began last. Cost: alerts times injections.
    """
    owned: dict[int, list[AlertSpan]] = defaultdict(list)
    for span in spans:
        owner = _owner(injections, span)
        if owner is not None:
            owned[owner.number].append(span)
    return owned


def _owner(injections: Sequence[Injection], span: AlertSpan) -> Injection | None:
    near = [found for found in injections if found.start <= span.starts_at <= found.end + AFTERMATH]
    return max(near, key=lambda found: (_is_in_time(found, span), found.start, found.number), default=None)


def _is_in_time(injection: Injection, span: AlertSpan) -> bool:
    return span.starts_at <= injection.end + GRACE


def _fires_before(injection: Injection, side: str, spans: Iterable[AlertSpan]) -> bool:
    """True when a page of the side fires at the start, by the injector's look or by what was recorded.

    A ticket may outlive its fault by half an hour; it tells nobody of the next one.
    """
    return side in injection.firing_before or any(
        span.side == side
        and span.severity == PAGE
        and span.starts_at < injection.start
        and (span.ends_at is None or span.ends_at > injection.start)
        for span in spans
    )


def _reaction(injection: Injection, side: str, owned: Sequence[AlertSpan], fires_before: bool) -> Reaction:
    own = tuple(span for span in owned if span.side == side)
    in_time = [span for span in own if _is_in_time(injection, span)]
    if not in_time:
        known = not fires_before or (injection.benign and bool(own))
        return Reaction(injection, side, known=known, alerts=own)
    named = [span for span in in_time if names_target(span, injection.target)]
    unresolved = any(span.ends_at is None for span in own)
    return Reaction(
        injection,
        side,
        known=True,
        detection_seconds=seconds_between(injection.start, in_time[0].starts_at),
        diagnosis_seconds=seconds_between(injection.start, named[0].starts_at) if named else None,
        recovery_seconds=None if unresolved else _recovery(injection, own),
        unresolved=unresolved,
        alerts=own,
    )


def names_target(span: AlertSpan, target: str) -> bool:
    """True when an alert points at the service that was injected into; one without a service points at the host."""
    return (span.service or HOST) == target


def _recovery(injection: Injection, own: Sequence[AlertSpan]) -> float:
    """Return 0 when the last alert was gone before the fault was: nothing was left to resolve."""
    last = max(span.ends_at for span in own if span.ends_at is not None)
    return max(0.0, seconds_between(injection.end, last))


def false_alarms(periods: Sequence[NormalPeriod], spans: Iterable[AlertSpan], side: str) -> list[AlertSpan]:
    """Return the side's alerts that start in normal time; three services at once are three."""
    return [
        span
        for span in spans
        if is_counted(span) and span.side == side and any(p.start <= span.starts_at <= p.end for p in periods)
    ]


def stretches(periods: Iterable[NormalPeriod]) -> list[NormalPeriod]:
    """Return normal time by its start, pieces less than PIECES apart joined: no alert falls between two of them."""
    joined: list[NormalPeriod] = []
    for period in sorted(periods, key=lambda period: period.start):
        if joined and period.start - joined[-1].end < PIECES:
            last = joined.pop()
            joined.append(NormalPeriod(start=last.start, end=max(last.end, period.end)))
        else:
            joined.append(period)
    return joined


def hours_of(periods: Iterable[NormalPeriod]) -> float:
    """Return how long normal time was watched."""
    return sum(seconds_between(period.start, period.end) for period in periods) / 3600


def strays(
    injections: Sequence[Injection], periods: Sequence[NormalPeriod], spans: Iterable[AlertSpan]
) -> list[AlertSpan]:
    """Return counted alerts that belong to no injection and start outside normal time."""
    return [
        span
        for span in spans
        if is_counted(span)
        and _owner(injections, span) is None
        and not any(period.start <= span.starts_at <= period.end for period in periods)
    ]
