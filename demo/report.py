"""The demo's report: what was broken, when it was noticed, and which lines said so."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from msgspec import to_builtins

from demo.timeline import plot_timeline
from demo.watching import Watch
from faultline.alerting import ALERT_WINDOW_SECONDS as WINDOW_SECONDS
from faultline.anomalies import Anomaly, ServiceAnomaly
from faultline.incidents import Incident
from faultline.reporting import inert

if TYPE_CHECKING:
    from demo.story import Fault, Times

SHOWN_TEMPLATES = 15
LEARNED = ("LogAnomaly", "BehaviourAnomaly")  # alerts without a rule for the fault
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=select_autoescape(default=True)
)


def write_report(folder: Path, watch: Watch, times: Times, fault: Fault) -> dict[str, Any]:
    """Write report.html, timeline.png, facts.json and anomalies.csv to `folder`; return the facts."""
    start = times.watch_start or fault.start - timedelta(seconds=30)
    end = times.end or fault.end
    anomalies = watch.anomalies(start, end)
    intervals = {name: watch.intervals(name, start, end) for name in (*LEARNED, "ServiceDown")}
    facts = _facts(watch, times, fault, anomalies, intervals)
    facts["services"] = _by_service(watch.services(start, end), fault)
    facts["incidents"] = [_incident(incident, fault) for incident in watch.incidents(fault.start, end)]
    (folder / "facts.json").write_text(json.dumps(facts, default=str, indent=2))
    _write_csv(folder / "anomalies.csv", anomalies)
    plot_timeline(folder / "timeline.png", anomalies, fault, intervals, (start, end))
    page = TEMPLATES.get_template("report.html.j2").render(facts=facts, fault=fault, times=times)
    (folder / "report.html").write_text(page)
    return facts


def _facts(
    watch: Watch,
    times: Times,
    fault: Fault,
    anomalies: Sequence[Anomaly],
    intervals: dict[str, list[tuple[str, datetime, datetime]]],
) -> dict[str, Any]:
    during = [anomaly for anomaly in anomalies if anomaly.timestamp >= fault.start]
    at = times.end or fault.end  # one moment for all three: they come from one scrape then, and must add up
    counts = {
        name: watch.value(f"sum(faultline_events_{name}_total)", at) or 0.0
        for name in ("read", "scored", "dead_lettered")
    }
    return {
        **counts,
        "alert_seconds": _between(fault.start, times.alert),
        "rule_alert_seconds": _between(fault.start, _first_start(intervals["ServiceDown"], fault.start)),
        "resolved_seconds": _between(fault.end, times.resolved),
        "stack_up_seconds": _between(times.begin, times.stack_up),
        "first_scored_seconds": _between(times.begin, times.first_scored),
        "report_seconds": _between(times.begin, times.end),
        "watched_seconds": _between(times.watch_start, fault.start),
        "anomalies_before_fault": len(anomalies) - len(during),
        "alerts_before_fault": sum(first < fault.start for name in LEARNED for _, first, _ in intervals[name]),
        "behaviour_alert_seconds": _between(fault.start, _first_start(intervals["BehaviourAnomaly"], fault.start)),
        "anomalies_after_fault": len(during),
        "first_anomaly": _row(during[0], fault) if during else None,
        "templates": _by_template(during, fault),
        "before": [_row(anomaly, fault) for anomaly in anomalies[:20] if anomaly.timestamp < fault.start],
        "model_version": anomalies[0].model_version if anomalies else None,
        "intervals": intervals,
    }


def _incident(incident: Incident, fault: Fault) -> dict[str, Any]:
    """Return what the page says of an incident, and where in its causes the broken service stands."""
    names = [cause.name for cause in incident.causes]
    return {
        **to_builtins(incident),
        "seconds_after_fault": (incident.opened_at - fault.start).total_seconds(),
        "rank": names.index(fault.target) + 1 if fault.target in names else None,
    }


def _between(start: datetime | None, end: datetime | None) -> float | None:
    return round((end - start).total_seconds(), 2) if start and end else None


def _first_start(intervals: Sequence[tuple[str, datetime, datetime]], after: datetime) -> datetime | None:
    return min((first for _, first, _ in intervals if first >= after - timedelta(seconds=1)), default=None)


def _row(anomaly: Anomaly, fault: Fault) -> dict[str, Any]:
    fields = {name: getattr(anomaly, name) for name in anomaly.__struct_fields__}
    return {**fields, "seconds_after_fault": (anomaly.timestamp - fault.start).total_seconds()}


def _by_template(anomalies: Sequence[Anomaly], fault: Fault) -> list[dict[str, Any]]:
    """Return one row per service and template, most frequent first, with its first line."""
    counts = Counter((anomaly.service_name, anomaly.template_id) for anomaly in anomalies)
    first: dict[tuple[str, str], Anomaly] = {}
    for anomaly in anomalies:
        first.setdefault((anomaly.service_name, anomaly.template_id), anomaly)
    return [{**_row(first[key], fault), "lines": lines} for key, lines in counts.most_common(SHOWN_TEMPLATES)]


def _by_service(anomalies: Sequence[ServiceAnomaly], fault: Fault) -> list[dict[str, Any]]:
    """Return what was said of each service when it was most abnormal after the fault, in order of its begin."""
    worst: dict[str, ServiceAnomaly] = {}
    for anomaly in anomalies:
        if anomaly.window_end >= fault.start:
            known = worst.setdefault(anomaly.service_name, anomaly)
            worst[anomaly.service_name] = max(known, anomaly, key=lambda found: found.structured_score)
    return [
        {
            "service_name": found.service_name,
            "detectors": found.detectors,
            "explanation": found.explanation,
            "score": found.structured_score,
            "seconds_after_fault": (found.since - fault.start).total_seconds() + WINDOW_SECONDS,
        }
        for found in sorted(worst.values(), key=lambda found: (found.since, found.service_name))
    ]


def _write_csv(path: Path, anomalies: Sequence[Anomaly]) -> None:
    columns = ("timestamp", "service_name", "severity", "score", "p_value", "event_id", "template_id", "body")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for anomaly in anomalies:
            fields = {"timestamp": anomaly.timestamp.isoformat(), "body": inert(anomaly.body)}
            writer.writerow([fields.get(name, getattr(anomaly, name)) for name in columns])
