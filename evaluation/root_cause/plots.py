"""Pictures of experiment 3."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from evaluation.root_cause.curve import Point
from faultline.reporting import figure

OURS: Final = "#b3261e"
OTHERS: Final = "#8a8f98"
LINES: Final = {"false_alarms_left": OURS, "detections_kept": "#2a8c6e", "ac1": "#2f6db3"}
LABELS: Final = {"false_alarms_left": "false alarms left", "detections_kept": "detections kept", "ac1": "AC@1"}


def plot_accuracy(path: Path, table: pd.DataFrame, target: str) -> None:
    """Draw AC@1 of every arm on one set, with intervals; the white mark is AC@3."""
    own = table[table["set"] == target].iloc[::-1].reset_index(drop=True)
    with figure(path, 8.5, 0.9 + 0.32 * len(own)) as axes:
        for row, found in own.iterrows():
            colour = OURS if found["arm"].startswith("ranker") else OTHERS
            axes.barh(row, found["ac1"], color=colour, height=0.7)
            if found.get("ac1_low", np.nan) == found.get("ac1_low", np.nan):
                axes.plot([found["ac1_low"], found["ac1_high"]], [row, row], color="black", linewidth=1)
            axes.plot(found["ac3"], row, marker="D", color="white", markeredgecolor=colour, markersize=5)
        names = [
            f"{found['arm']}, {found['held_out']} held out" if found["arm"] == "ranker" else found["arm"]
            for _, found in own.iterrows()
        ]
        axes.set_yticks(range(len(own)), names)
        axes.set_xlim(0, 1.02)
        axes.set_xlabel("AC@1; line: 95 % interval over kinds; diamond: AC@3")


def _name(found: pd.Series[Any]) -> str:
    return f"{found['arm']}, {found['held_out']} held out" if found["arm"] == "ranker" else str(found["arm"])


def plot_ranks(path: Path, incidents: pd.DataFrame, target: str) -> None:
    """Draw where the ranker put the cause, one column a kind of fault, one dot an incident."""
    own = incidents[
        (incidents["arm"] == "ranker")
        & (incidents["held_out"] == "kind")
        & incidents["incident"].str.startswith(target)
    ]
    kinds = sorted(own["kind"].unique())
    with figure(path, max(6.0, 0.55 * len(kinds) + 2), 4.2) as axes:
        for column, kind in enumerate(kinds):
            ranks = own[own["kind"] == kind]["rank"].fillna(6).clip(upper=6).to_numpy()
            axes.scatter(column + np.linspace(-0.25, 0.25, len(ranks)), ranks, s=18, color=OURS, alpha=0.8)
        axes.set_xticks(range(len(kinds)), kinds, rotation=60, ha="right")
        axes.set_yticks(range(1, 7), ["1", "2", "3", "4", "5", "later"])
        axes.set_ylim(6.4, 0.6)
        axes.set_ylabel("rank of the cause")


def plot_curve(path: Path, points: Sequence[Point]) -> None:
    """Draw what verdicts change; dashed: one in ten is wrong."""
    with figure(path, 7.5, 4.2) as axes:
        for name, colour in LINES.items():
            for wrong, style in ((0.0, "-"), (0.1, "--")):
                own = [point for point in points if point.wrong == wrong]
                values = [getattr(point, name) for point in own]
                x = [point.verdicts for point in own]
                label = LABELS[name] + (", 10 % wrong" if wrong else "")
                axes.plot(
                    x, [value.value for value in values], style, color=colour, marker="o", markersize=4, label=label
                )
                if not wrong:
                    axes.fill_between(x, [v.low for v in values], [v.high for v in values], color=colour, alpha=0.12)
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlabel("verdicts")
        axes.legend(frameon=False, fontsize=8)
