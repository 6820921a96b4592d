"""TrainTicket (Nezha, 2023) as incidents: three minutes of logs, spans and metrics around each of the faults.

An incident is the time for which logs were published, not the time of the injection, which is used nowhere. What is
usual is learned from the published minute without a fault and from the windows of all other faults: nothing else was
published. They are taken as they are, without their labels.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Final

import msgspec

from evaluation.datasets.labelled import DatasetError
from evaluation.datasets.reading import read_table
from evaluation.root_cause.incidents import IncidentSet, LabelledIncident
from faultline.catalog.graph import DependencyGraph, Edge
from spark.models.root_cause.calls import wait_series
from spark.models.root_cause.flow import SPREAD, Counts, FlowLine, FlowProfile, count_steps
from spark.models.root_cause.numbers import NumberProfile, Series
from spark.models.root_cause.situation import Situation
from spark.models.root_cause.symptoms import Symptom, flow_symptom, number_symptom

NAME: Final = "TrainTicket"
FILES: Final = ("faults.csv", "logs.csv.gz", "traces.csv.gz", "metrics.csv.gz")
NOTES: Final = (
    "What is usual is learned from the other windows, faulty themselves, and from one minute without a fault.",
    "When a symptom began is not told: first to alert has nothing to go by. There is no catalog: text has only names.",
)
FAULT_FREE: Final = "fault_free:"
MIN_SPANS: Final = 5  # of an operation within a window, for their median
SCRAPE: Final = timedelta(minutes=1)  # a sample speaks of the minute before it
NODE: Final = "Node"  # columns about the machine under a pod, the same for all pods on it
# Of the samples of a day: 28 faults of three minutes are a tenth of it, and one pod's own are far fewer.
SAMPLE_SPREAD: Final = 0.02
TWICE: Final = frozenset({"CpuUsage(m)", "MemoryUsage(Mi)"})  # there as rates, too
_POD: Final = re.compile(r"^(?P<service>.+?)-[0-9a-f]{6,10}-[0-9a-z]{5}$")
_LINE: Final = re.compile(r"^\S+ +(?P<level>[A-Z]+) +(?P<place>\S+)")
_ERRORS: Final = frozenset({"ERROR", "FATAL"})
_NO_SERIES: Final = frozenset({"Time", "TimeStamp", "PodName"})


@dataclass
class _Window:
    """What was recorded around one fault."""

    lines: list[FlowLine] = field(default_factory=list)
    durations: dict[Series, list[float]] = field(default_factory=lambda: defaultdict(list))  # microseconds
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def middle_durations(self) -> dict[Series, float]:
        """The median of each operation and wait, as ln(1 + milliseconds): a range is one of factors."""
        return {
            series: math.log(median(values) + 1)
            for series, values in self.durations.items()
            if len(values) >= MIN_SPANS
        }


@dataclass(frozen=True)
class _Fault:
    number: int
    service: str
    kind: str
    start: datetime  # of the first minute of logs
    end: datetime


@dataclass(frozen=True)
class _Background:
    """Everything recorded, from which each incident's own part is left out when what is usual is learned."""

    counts: Mapping[int, Counts]
    durations: Mapping[int, Mapping[Series, float]]
    errors: Mapping[int, Mapping[str, int]]
    samples: Mapping[Series, Sequence[tuple[datetime, float]]]
    graph: DependencyGraph


def load(folder: Path) -> IncidentSet:
    """Read a day of TrainTicket as published by Nezha; raises DatasetError for what is missing or not as expected."""
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise DatasetError(f"{folder} has no {', '.join(missing)}, expected a day of TrainTicket; see its README")
    faults, window_of = _read_faults(folder / "faults.csv")
    windows, edges = _read_windows(folder, window_of)
    background = _Background(
        {number: count_steps(window.lines) for number, window in windows.items()},
        {number: window.middle_durations for number, window in windows.items()},
        {number: window.errors for number, window in windows.items()},
        _read_samples(folder / "metrics.csv.gz"),
        DependencyGraph(Edge(source, target, requests) for (source, target), requests in edges.items()),
    )
    services = len({series.service_name for series in background.samples})
    return IncidentSet(NAME, tuple(_incident(fault, background) for fault in faults), services, NOTES)


def _read_faults(path: Path) -> tuple[list[_Fault], dict[str, int]]:
    """Return the faults, and which fault the log of a window belongs to."""
    faults, window_of = [], {}
    for line, row in read_table(path, ("fault_no", "inject_time_utc", "service", "fault_type", "log_windows")):
        try:
            number, minutes = int(row["fault_no"]), row["log_windows"].split()
            day = datetime.fromisoformat(row["inject_time_utc"]).replace(tzinfo=UTC)
            hours, first = map(int, minutes[0].split("_"))
        except (ValueError, IndexError) as error:
            text = f"{path}:{line}: {error}, expected fault_no a number and log_windows of hh_mm"
            raise DatasetError(text) from error
        start = day.replace(hour=hours, minute=first, second=0)
        faults.append(_Fault(number, row["service"], row["fault_type"], start, start + timedelta(minutes=len(minutes))))
        window_of.update(dict.fromkeys(minutes, number))
    return faults, window_of


def _read_windows(folder: Path, window_of: Mapping[str, int]) -> tuple[dict[int, _Window], Counter[tuple[str, str]]]:
    """Return lines and durations by fault, 0 for the minute without one, and how often a service called another."""
    windows: dict[int, _Window] = defaultdict(_Window)
    service_of: dict[tuple[str, str], str] = {}
    took: dict[tuple[str, str], float] = {}
    calls: list[tuple[int, str, str, str, str]] = []
    known: set[tuple[int, str]] = set()
    columns = ("window", "TraceID", "SpanID", "ParentID", "PodName", "OperationName", "Duration")
    for line, row in read_table(folder / "traces.csv.gz", columns):
        number, service = _number(row["window"], window_of), _service(row["PodName"])
        if number is None or service is None:
            continue
        request = f"{row['TraceID']} {row['SpanID']} {service}"
        known.add((number, request))
        service_of[row["TraceID"], row["SpanID"]] = service
        calls.append((number, row["TraceID"], row["ParentID"], row["SpanID"], service))
        window = windows[number]
        took[row["TraceID"], row["SpanID"]] = _float(folder / "traces.csv.gz", line, row["Duration"])
        window.lines.append(FlowLine(service, request, -math.inf, "", row["OperationName"]))
        window.durations[Series(service, f"duration of {row['OperationName']}")].append(
            took[row["TraceID"], row["SpanID"]]
        )
    for number, line_of, is_error in _read_lines(folder / "logs.csv.gz", window_of):
        windows[number].errors[line_of.service_name] += is_error
        if (number, line_of.request) in known:  # a span cut off at the edge of what was recorded has no begin
            windows[number].lines.append(line_of)
    edges: Counter[tuple[str, str]] = Counter()
    for number, trace, parent, span, service in calls:
        caller = service_of.get((trace, parent), service)
        if caller != service:
            edges[caller, service] += 1
            windows[number].durations[wait_series(caller, service)].append(
                max(took[trace, parent] - took[trace, span], 0.0)
            )
    return windows, edges


def _read_lines(path: Path, window_of: Mapping[str, int]) -> Iterator[tuple[int, FlowLine, bool]]:
    for _, row in read_table(path, ("window", "Timestamp", "PodName", "TraceID", "SpanID", "Log")):
        number, service = _number(row["window"], window_of), _service(row["PodName"])
        found = _LINE.match(_text(row["Log"]))
        if number is not None and service is not None and found:
            request = f"{row['TraceID']} {row['SpanID']} {service}"
            moment = datetime.fromisoformat(row["Timestamp"][:26].rstrip("Z")).replace(tzinfo=UTC).timestamp()
            yield number, FlowLine(service, request, moment, found["place"], ""), found["level"] in _ERRORS


def _text(log: str) -> str:
    """Return the line within a container's log line, empty when it is none; the place in the code is its template."""
    try:
        return str(msgspec.json.decode(log)["log"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return ""


def _number(window: str, window_of: Mapping[str, int]) -> int | None:
    return 0 if window.startswith(FAULT_FREE) else window_of.get(window)


def _service(pod: str) -> str | None:
    found = _POD.match(pod)
    return found["service"] if found else None


def _float(path: Path, line: int, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise DatasetError(f"{path}:{line}: {text!r} is no number") from error


def _read_samples(path: Path) -> dict[Series, list[tuple[datetime, float]]]:
    samples: dict[Series, list[tuple[datetime, float]]] = defaultdict(list)
    for line, row in read_table(path, ("TimeStamp", "PodName")):
        service = _service(row["PodName"])
        if service is None:
            continue
        moment = datetime.fromtimestamp(_float(path, line, row["TimeStamp"]), UTC)
        for name, text in row.items():
            if name not in _NO_SERIES | TWICE and not name.startswith(NODE) and text:
                samples[Series(service, name)].append((moment, _float(path, line, text)))
    return samples


def _incident(fault: _Fault, background: _Background) -> LabelledIncident:
    symptoms = [*_flow(fault, background), *_durations(fault, background), *_metrics(fault, background)]
    return LabelledIncident(
        name=f"{NAME} {fault.number}",
        kind=fault.kind,
        service=fault.service,
        causes=frozenset({fault.service}),
        situation=Situation(symptoms, background.graph),
        at=fault.start,
        errors={name: count for name, count in background.errors.get(fault.number, {}).items() if count},
    )


def _flow(fault: _Fault, background: _Background) -> Iterator[Symptom]:
    others = [counts for number, counts in background.counts.items() if number != fault.number]
    found = FlowProfile.fit(others).deviations(background.counts.get(fault.number, Counter()))
    yield from (flow_symptom(deviation, {}) for deviation in found.values())


def _durations(fault: _Fault, background: _Background) -> Iterator[Symptom]:
    samples: dict[Series, list[float]] = defaultdict(list)
    for number, middles in background.durations.items():
        if number != fault.number:
            for series, value in middles.items():
                samples[series].append(value)
    own = {series: [value] for series, value in background.durations.get(fault.number, {}).items()}
    yield from (number_symptom(found) for found in NumberProfile.fit(samples, SPREAD).deviations(own))


def _metrics(fault: _Fault, background: _Background) -> Iterator[Symptom]:
    usual: dict[Series, list[float]] = {}
    own: dict[Series, list[float]] = {}
    for series, samples in background.samples.items():
        inside = [fault.start <= moment < fault.end + SCRAPE for moment, _ in samples]
        own[series] = [value for (_, value), within in zip(samples, inside, strict=True) if within]
        usual[series] = [value for (_, value), within in zip(samples, inside, strict=True) if not within]
    yield from (number_symptom(found) for found in NumberProfile.fit(usual, SAMPLE_SPREAD).deviations(own))
