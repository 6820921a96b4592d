"""One picture of a run: abnormal lines per second, the injected fault, and when each alert fired."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

from faultline.anomalies import Anomaly

if TYPE_CHECKING:
    from demo.story import Fault

Interval = tuple[str, datetime, datetime]
_FAULT, _ALERT, _RULE = "#f2c6c0", "#b3261e", "#5f6368"


def plot_timeline(
    path: Path,
    anomalies: Sequence[Anomaly],
    fault: Fault,
    intervals: Mapping[str, Sequence[Interval]],
    span: tuple[datetime, datetime],
) -> None:
    """Write a PNG; time axis in seconds relative to the injection."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (lines, alerts) = plt.subplots(
        2, 1, sharex=True, figsize=(10, 6), height_ratios=(3, 2.2), layout="constrained"
    )
    for axes in (lines, alerts):
        axes.axvspan(0, _offset(fault.end, fault), color=_FAULT, label=f"{fault.target}: {fault.kind}")
        axes.spines[["top", "right"]].set_visible(False)
    _plot_lines(lines, anomalies, fault)
    _plot_alerts(alerts, intervals, fault)
    alerts.set_xlim(_offset(span[0], fault), _offset(span[1], fault))
    alerts.set_xlabel("seconds since the fault was injected")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _plot_lines(axes: Any, anomalies: Sequence[Anomaly], fault: Fault) -> None:
    """Draw stacked bars, one second each, a colour per service."""
    services = sorted({anomaly.service_name for anomaly in anomalies})
    counts = Counter((a.service_name, int(_offset(a.timestamp, fault) // 1)) for a in anomalies)
    bottom: Counter[int] = Counter()
    for service in services:
        seconds = sorted(second for name, second in counts if name == service)
        heights = [counts[service, second] for second in seconds]
        starts = [second + 0.5 for second in seconds]
        axes.bar(starts, heights, width=0.9, bottom=[bottom[second] for second in seconds], label=service)
        bottom.update({second: counts[service, second] for second in seconds})
    axes.set_ylabel("abnormal lines per second")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper right", frameon=False)


def _plot_alerts(axes: Any, intervals: Mapping[str, Sequence[Interval]], fault: Fault) -> None:
    """Draw one row per alert and service, learned alerts above threshold rules."""
    rows = [(name, service) for name in reversed(list(intervals)) for service in _services(intervals[name])]
    for row, (name, service) in enumerate(rows):
        color = _RULE if name == "ServiceDown" else _ALERT
        for found, first, last in intervals[name]:
            if found == service:
                start = _offset(first, fault)
                axes.barh(row, max(1.0, _offset(last, fault) - start), left=start, height=0.6, color=color)
    axes.set_yticks(range(len(rows)), [f"{name} {service}" for name, service in rows])
    axes.set_ylim(-0.6, max(len(rows), 1) - 0.4)


def _services(found: Sequence[Interval]) -> list[str]:
    return sorted({service for service, _, _ in found}, reverse=True)


def _offset(moment: datetime, fault: Fault) -> float:
    return (moment - fault.start).total_seconds()
