"""Pictures of a run; matplotlib is imported when the first one is drawn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import Any, Final

from chaos.aims import MEDIAN_SECONDS
from chaos.comparison import Figures, kinds_of
from chaos.quiet import Distraction, NormalTime
from chaos.records import SIDES
from chaos.results import Results
from chaos.timings import AFTERMATH, Reaction, false_alarms, seconds_between
from faultline.reporting import figure

# Of the palette of Okabe and Ito (2008), told apart by colour-blind readers; the marks do it in black and white.
COLOURS: Final = {"ml": "#0072b2", "rules": "#e69f00", "slo": "#009e73"}
MARKS: Final = {"ml": "o", "rules": "s", "slo": "^"}
_FAULT, _FAINT = "#f2d9d6", "#d8dadd"
_LONGEST_NAME: Final = 30


def drawn(text: str) -> str:
    """Return text that matplotlib draws as it is: no formulas, no letters its font lacks, no endless names.

    >>> drawn("a$b$ \\u4e2d")
    'a\\\\$b\\\\$ ?'
    """
    plain = "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in text)
    short = plain if len(plain) <= _LONGEST_NAME else plain[: _LONGEST_NAME - 1] + "~"
    return short.replace("$", r"\$")


def plot_timelines(folder: Path, reactions: Sequence[Reaction]) -> dict[str, str]:
    """Write one picture a kind of fault or change; return file name by kind."""
    files = {}
    for number, kind in enumerate(kinds_of(reactions), start=1):
        slug = re.sub(r"[^a-z0-9]+", "-", kind.lower()).strip("-")
        files[kind] = f"timeline-{number:02d}-{slug}.png"[:100]
        plot_timeline(folder / files[kind], [r for r in reactions if r.injection.kind == kind])
    return files


def plot_timeline(path: Path, own: Sequence[Reaction]) -> None:
    """Draw a row a repeat and side: the fault shaded, alerts as bars, what fired first at the right margin."""
    rows = sorted(own, key=lambda r: (r.injection.experiment, r.injection.repeat, r.injection.number))[::-1]
    longest = max(seconds_between(r.injection.start, r.injection.end) for r in rows)
    edge = longest + AFTERMATH.total_seconds()
    with figure(path, 9.0, 0.9 + 0.2 * len(rows)) as axes:
        for row, reaction in enumerate(rows):
            _draw_reaction(axes, row, reaction, edge)
        labels = [f"{drawn(r.injection.target)} {r.injection.repeat}  {r.side}" for r in rows]
        axes.set_yticks(range(len(rows)), labels, fontsize=7)
        axes.set(xlim=(-2, edge), ylim=(-0.6, len(rows) - 0.4))
        axes.set_xlabel("seconds since the injection; shaded: until it was undone")


def _draw_reaction(axes: Any, row: int, reaction: Reaction, edge: float) -> None:
    start, end = reaction.injection.start, reaction.injection.end
    axes.barh(row, seconds_between(start, end), height=1.0, color=_FAINT if reaction.injection.benign else _FAULT)
    for span in reaction.alerts:
        begin = seconds_between(start, span.starts_at)
        stop = seconds_between(start, span.ends_at) if span.ends_at else edge
        axes.barh(row, max(min(stop, edge) - begin, 0.5), left=begin, height=0.62, color=COLOURS[reaction.side])
        axes.plot(begin, row, marker="|", color="black", markersize=6)
    axes.text(1.01, row, _first(reaction), transform=axes.get_yaxis_transform(), fontsize=7, va="center")


def _first(reaction: Reaction) -> str:
    if not reaction.known:
        return "fired before"
    if not reaction.alerts:
        return "quiet" if reaction.injection.benign else "missed"
    first = reaction.alerts[0]
    seconds = seconds_between(reaction.injection.start, first.starts_at)
    return f"{seconds:.1f} s {drawn(f'{first.name} {first.service}'.strip())}"


def plot_delays(path: Path, figures: Sequence[Figures], reactions: Sequence[Reaction]) -> None:
    """Draw MTTD a kind of fault and side: median, interval, each injection; misses in a column of their own."""
    kinds = list(dict.fromkeys(row.kind for row in figures))[::-1]
    faults = [reaction for reaction in reactions if reaction.known and not reaction.injection.benign]
    times = [r.detection_seconds for r in faults if r.detection_seconds is not None]
    missed_at = 1.08 * max([*times, MEDIAN_SECONDS])
    with figure(path, 9.0, 1.2 + 0.5 * len(kinds)) as axes:
        for row in figures:
            y = _lane(kinds.index(row.kind), row.side)
            _draw_dots(axes, y, [r for r in faults if (r.injection.kind, r.side) == (row.kind, row.side)])
            _draw_median(axes, y, row, missed_at)
        for line in range(1, len(kinds)):
            axes.axhline(line - 0.5, color=_FAINT, linewidth=0.7)
        axes.axvline(MEDIAN_SECONDS, color="black", linewidth=0.8, linestyle=":")
        axes.axvspan(missed_at - 0.04 * missed_at, missed_at * 1.07, color="#f1f1f1", zorder=0)
        axes.set_yticks(range(len(kinds)), [drawn(kind) for kind in kinds])
        axes.set(xlim=(-0.01 * missed_at, missed_at * 1.07), ylim=(-0.5, len(kinds) - 0.5))
        axes.set_xlabel(f"MTTD in seconds; dotted: the aim of {MEDIAN_SECONDS:.0f} s; right column: missed, how often")
        _legend(axes)


def _lane(row: int, side: str) -> float:
    return row + 0.27 * (1 - SIDES.index(side))


def _draw_dots(axes: Any, y: float, reactions: Sequence[Reaction]) -> None:
    times = [r.detection_seconds for r in reactions if r.detection_seconds is not None]
    if times:
        axes.plot(times, [y] * len(times), ".", color=COLOURS[reactions[0].side], alpha=0.45, markersize=5)


def _draw_median(axes: Any, y: float, row: Figures, missed_at: float) -> None:
    colour = COLOURS[row.side]
    if not isnan(row.mttd.low):
        axes.plot([row.mttd.low, row.mttd.high], [y, y], color=colour, linewidth=2, alpha=0.7)
    if row.detected:
        axes.plot(row.mttd.value, y, MARKS[row.side], color=colour, markersize=6, markeredgecolor="white")
    missed = row.injections - row.detected
    if missed:
        axes.plot(missed_at, y, "x", color=colour, markersize=5)
        axes.text(missed_at * 1.015, y, f"{missed}", fontsize=7, va="center", color="black")


def _legend(axes: Any) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], marker=MARKS[side], color=COLOURS[side], label=side) for side in SIDES]
    axes.legend(handles=handles, frameon=False, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=len(SIDES))


def plot_detection(path: Path, figures: Sequence[Figures]) -> None:
    """Draw which side detects which fault: the darker, the more of its injections."""
    cells = {(row.kind, row.side): (row.detected, row.injections) for row in figures}
    _draw_matrix(path, cells, "detected of how many injections")


def plot_distractions(path: Path, rows: Sequence[Distraction]) -> None:
    """Draw which side fires on which harmless change: the darker, the more often."""
    cells = {(row.kind, row.side): (row.fired, row.injections) for row in rows}
    _draw_matrix(path, cells, "fired on how many harmless changes")


def _draw_matrix(path: Path, cells: dict[tuple[str, str], tuple[int, int]], title: str) -> None:
    from matplotlib.colors import to_rgba

    kinds = list(dict.fromkeys(kind for kind, _ in cells))[::-1]
    with figure(path, 6.0, 1.1 + 0.32 * len(kinds)) as axes:
        for (kind, side), (hits, count) in cells.items():
            part = hits / count if count else 0.0
            x, y = SIDES.index(side), kinds.index(kind)
            axes.barh(y, 0.94, left=x - 0.47, height=0.9, color=to_rgba(COLOURS[side], part), edgecolor=_FAINT)
            ink = "white" if part > 0.6 and side != "rules" else "black"
            axes.text(x, y, f"{hits} of {count}" if count else "unknown", ha="center", va="center", color=ink)
        axes.set_yticks(range(len(kinds)), [drawn(kind) for kind in kinds])
        axes.set_xticks(range(len(SIDES)), SIDES)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set(xlim=(-0.5, len(SIDES) - 0.5), ylim=(-0.5, len(kinds) - 0.5))
        axes.set_xlabel(title)


def plot_normal(path: Path, results: Results, rows: Sequence[NormalTime]) -> None:
    """Draw normal time in minutes watched, a row a side, a mark at each false alarm."""
    with figure(path, 9.0, 2.2) as axes:
        for y, row in enumerate(rows[::-1]):
            alarms = false_alarms(results.normal, results.alerts, row.side)
            minutes = [_watched_minutes(results, alarm.starts_at) for alarm in alarms]
            axes.barh(y, 60 * row.hours, height=0.5, color=_FAINT)
            axes.plot(minutes, [y] * len(minutes), "|", color=COLOURS[row.side], markersize=22, markeredgewidth=3)
            text = f"{row.alarms} in {row.hours:.1f} h: {row.per_hour.low:.1f} to {row.per_hour.high:.1f} an hour"
            axes.text(1.01, y, text, transform=axes.get_yaxis_transform(), va="center", fontsize=8)
        axes.set_yticks(range(len(rows)), [row.side for row in rows[::-1]])
        axes.set(xlim=(0, 60 * rows[0].hours), ylim=(-0.6, len(rows) - 0.4))
        axes.set_xlabel("minutes of normal time; marks: false alarms; right: 95 % interval")


def _watched_minutes(results: Results, moment: Any) -> float:
    """Return how much normal time had been watched by a moment."""
    passed = (seconds_between(p.start, min(p.end, moment)) for p in results.normal if p.start <= moment)
    return sum(passed) / 60
