"""A day of TrainTicket in small: three services, one fault each window, in the published form."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

DAY = datetime(2023, 1, 29, 8, 0, tzinfo=UTC)
PODS = {name: f"ts-{name}-service-5dc8d4f9fd-46997" for name in ("travel", "basic", "price")}
REQUESTS = 20  # a window

Row = Sequence[object]


def service(name: str) -> str:
    return f"ts-{name}-service"


def write_day(folder: Path, faults: Sequence[tuple[str, str]]) -> None:
    """Write windows of three minutes, ten minutes apart: (service, kind) of each, and the minute without a fault."""
    windows = [("fault_free:07_50", DAY - timedelta(minutes=10), "", "")]
    windows += [
        (f"{start:%H_%M}", start, *fault)
        for number, fault in enumerate(faults)
        for start in [DAY + timedelta(minutes=10 * number)]
    ]
    _write(folder / "faults.csv", ("fault_no", "inject_time_utc", "service", "pod", "fault_type", "log_windows"), (
        (number, f"{start:%Y-%m-%d %H:%M}:04", service(broken), PODS[broken], kind, window)
        for number, (window, start, broken, kind) in enumerate(windows[1:], 1)
    ))  # fmt: skip
    columns = ("window", "TraceID", "SpanID", "ParentID", "PodName", "OperationName", "Duration")
    _write(folder / "traces.csv.gz", columns, (row for window in windows for row in _spans(*window)))
    columns = ("window", "Timestamp", "PodName", "TraceID", "SpanID", "Log")
    _write(folder / "logs.csv.gz", columns, (row for window in windows for row in _lines(*window)))
    _write(
        folder / "metrics.csv.gz", ("Time", "TimeStamp", "PodName", "CpuUsageRate(%)", "CpuUsage(m)"), _samples(windows)
    )


def _spans(window: str, start: datetime, broken: str, kind: str) -> Iterable[Row]:
    names = list(PODS)
    for number in range(REQUESTS):
        trace, parent = f"{window}-{number}", "root"
        for place, (name, pod) in enumerate(PODS.items()):
            # The way to the broken service is slow: whoever is above it waits, it itself is as fast as ever.
            delayed = kind == "network_delay" and place < names.index(broken)
            took = 5000 + number + 1000 * (len(names) - place) + 500_000 * delayed
            yield window, trace, name, parent, pod, f"/{name}", took
            parent = name


def _lines(window: str, start: datetime, broken: str, kind: str) -> Iterable[Row]:
    for number in range(REQUESTS):
        for name, pod in PODS.items():
            fails = name == broken and kind in ("return", "exception")
            second = "error#9" if fails and kind == "exception" else None if fails else "done#2"
            for place in filter(None, ("begin#1", second)):
                start += timedelta(milliseconds=10)
                level = "ERROR" if place == "error#9" else "INFO"
                trace = f"{window}-{number}"
                text = f"16:00:00 {level} {name}.{place} TraceID: {trace} SpanID: {name} [order {number}]\n"
                yield window, f"{start:%Y-%m-%dT%H:%M:%S.%f}123Z", pod, trace, name, json.dumps({"log": text})


def _samples(windows: Sequence[tuple[str, datetime, str, str]]) -> Iterable[Row]:
    for minute in range(-15, 10 * len(windows) + 30):
        moment = DAY + timedelta(minutes=minute, seconds=9)
        for name, pod in PODS.items():
            starved = any(
                kind == "cpu_contention" and name == broken and start <= moment < start + timedelta(minutes=2)
                for _, start, broken, kind in windows
            )
            usage = 95.0 if starved else 10.0 + minute % 3
            yield f"{moment} +0000 UTC", int(moment.timestamp()), pod, usage, 9.0


def _write(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
