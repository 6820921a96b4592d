"""What each side missed, and what could be seen of it: the reason, as far as measurements tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chaos.comparison import OURS, kinds_of
from chaos.records import OWN_SIGNALS, SIDES, Evidence
from chaos.timings import Reaction

OF_LOGS: Final = ("missing_log_lines_ratio",)  # a trace that no metric of a service shows
SHOWN_SIGNALS: Final = 5
SHOWN_LINES: Final = 3


@dataclass(frozen=True)
class Miss:
    """What one side missed of one kind of fault: how often, why, and the highest values of what the side looks at."""

    kind: str
    side: str
    missed: int
    injections: int
    why: str
    signals: str  # `error_ratio 0.01 → 0.4`: in the minute before → during the fault
    lines: str  # the first abnormal ones, one each


def misses(reactions: Sequence[Reaction], evidence: Mapping[int, Evidence]) -> list[Miss]:
    """Return a row a kind of fault and side that missed any."""
    faults = [reaction for reaction in reactions if reaction.known and not reaction.injection.benign]
    groups = (
        [r for r in faults if r.injection.kind == kind and r.side == side]
        for kind in kinds_of(faults)
        for side in SIDES
    )
    return [_miss(group, evidence) for group in groups if any(not reaction.detected for reaction in group)]


def leaves_trace(numbers: Iterable[int], evidence: Mapping[int, Evidence]) -> bool:
    """True when any of these injections was seen in a metric or a log line, or when nobody looked."""
    found = [evidence.get(number) for number in numbers]
    return any(record is None or bool(record.traces or record.lines) for record in found)


def _miss(group: Sequence[Reaction], evidence: Mapping[int, Evidence]) -> Miss:
    missed = [reaction for reaction in group if not reaction.detected]
    found = [evidence[r.injection.number] for r in missed if r.injection.number in evidence]
    first = group[0]
    return Miss(
        kind=first.injection.kind,
        side=first.side,
        missed=len(missed),
        injections=len(group),
        why=_late(missed) + _why(first.side, found),
        signals=_signals(first.side, found),
        lines="\n".join(list(dict.fromkeys(line for record in found for line in record.lines))[:SHOWN_LINES]),
    )


def _late(missed: Sequence[Reaction]) -> str:
    late = sum(bool(reaction.alerts) for reaction in missed)
    return f"In {late} of {len(missed)} an alert came after the fault, too late to count. " if late else ""


def _why(side: str, found: Sequence[Evidence]) -> str:
    traces = sorted({name for record in found for name in record.traces})
    lines = any(record.lines for record in found)
    if not found:
        return "Nothing was measured during these injections."
    if not traces and not lines:
        return "It left no trace: no metric left its normal range, and no line was abnormal."
    if side == OURS:
        return _why_ours(traces, lines)
    seen = [name for name in traces if name not in OF_LOGS]
    if not seen:
        return "Only the logs told of it: no metric of a service or the host left its normal range."
    return f"{_listed(seen)} left the normal range, but not far or not long enough for a rule of this side."


def _why_ours(traces: Sequence[str], lines: bool) -> str:
    said = "Lines were abnormal, but too few at a time." if lines else "No line was abnormal."
    return f"{said} Outside the normal range: {_listed(traces)}." if traces else said


def _listed(names: Sequence[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names)


def _signals(side: str, found: Sequence[Evidence]) -> str:
    """Return the signals of a side that rose most, each with its highest value before and during.

    OWN_SIGNALS are of the ml side; the rules of the others look at metrics of the services and the host.
    """
    during, before = _highest(record.during for record in found), _highest(record.before for record in found)
    own = [name for name in during if name.startswith(OWN_SIGNALS) == (side == OURS)]
    risen = sorted(own, key=lambda name: (-_rise(before.get(name, 0.0), during[name]), name))[:SHOWN_SIGNALS]
    return "; ".join(f"{name} {_shown(before.get(name))} → {_shown(during[name])}" for name in risen)


def _rise(before: float, during: float) -> float:
    """Return by what share of the greater one a value rose: from nothing to anything is 1."""
    greatest = max(abs(before), abs(during))
    return (during - before) / greatest if greatest else 0.0


def _highest(records: Iterable[Mapping[str, float]]) -> dict[str, float]:
    highest: dict[str, float] = {}
    for record in records:
        for name, value in record.items():
            highest[name] = max(value, highest.get(name, value))
    return highest


def _shown(value: float | None) -> str:
    """Return a value in a few digits.

    >>> _shown(123456789.0), _shown(0.01234), _shown(None)
    ('123 M', '0.0123', 'none')
    """
    if value is None:
        return "none"
    return f"{value / 1e6:,.0f} M" if abs(value) >= 1e6 else f"{value:.3g}"
