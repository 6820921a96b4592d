"""TrainTicket (Nezha, 2023): 28 injected faults; what is judged is a minute of a service."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from evaluation.datasets.labelled import TEST, TRAIN, DatasetError, LabelledSet, Unreadable
from evaluation.datasets.lines import RawLine, line_event, read_line
from evaluation.datasets.options import DatasetOptions
from evaluation.datasets.reading import read_table
from evaluation.datasets.service_windows import Fault, window_set
from faultline.records import Event

FORMAT: Final = "TRAINTICKET"
FOLDER: Final = "nezha-trainticket"
FAULTY: Final = timedelta(minutes=3)  # the README: faulty for about three minutes from inject_time_utc
LAST_TRAINING_FAULT: Final = 15
_POD: Final = re.compile(r"^(?P<service>.+?)-[0-9a-f]{6,10}-[0-9a-z]{5}$")
_TRACE: Final = re.compile(r"\b(TraceID|SpanID): ?\S*")
WEAKNESSES: Final = (
    "Logs exist only around faults: normal training time is the minutes of services that were not broken then, and some"
    " of these felt the fault of the one that was. Such a minute counts as a false alarm although its log shows it.",
    "28 faults of 9 services, clean, single and short; the test part holds kinds and services the first part lacks.",
    "CPU contention (4 faults, all in the test part) changes times, hardly words.",
    "A fault starts and ends within a minute; minutes are faulty when at least half of one lies in the fault.",
)


@dataclass(frozen=True)
class _Row:
    number: int
    service: str
    timestamp: datetime
    line: RawLine
    trace_id: str


def load(path: Path, options: DatasetOptions) -> LabelledSet:
    """Read `logs.csv.gz` and `faults.csv`: labels come from the injector, split by fault 1-15 and 16-28."""
    faults = [fault for _, fault in _read_faults(path / "faults.csv")]
    last = max(fault.end for number, fault in _read_faults(path / "faults.csv") if number <= LAST_TRAINING_FAULT)
    rows, unreadable = _read_rows(path / "logs.csv.gz")
    events = [_event(row) for row in rows]
    found = window_set(FORMAT, events, faults, lambda start: TRAIN if start < last else TEST)
    return _with_notes(found, unreadable)


def _with_notes(found: LabelledSet, unreadable: Sequence[Unreadable]) -> LabelledSet:
    read = found.lines_read + len(unreadable)
    return replace(found, unreadable=tuple(unreadable), lines_read=read, weaknesses=WEAKNESSES)


def _read_faults(path: Path) -> list[tuple[int, Fault]]:
    faults = []
    for number, row in read_table(path, ("fault_no", "inject_time_utc", "service")):
        try:
            start = datetime.fromisoformat(row["inject_time_utc"]).replace(tzinfo=UTC)
            faults.append((int(row["fault_no"]), Fault(row["service"], start, start + FAULTY)))
        except ValueError as error:
            text = f"{path}:{number}: {error}, expected fault_no a number and inject_time_utc a time"
            raise DatasetError(text) from error
    return faults


def _read_rows(path: Path) -> tuple[list[_Row], list[Unreadable]]:
    rows: list[_Row] = []
    unreadable: list[Unreadable] = []
    for number, row in read_table(path, ("Timestamp", "PodName", "TraceID", "Log")):
        parsed = _parse(number, row)
        if isinstance(parsed, Unreadable):
            unreadable.append(parsed)
        else:
            rows.append(parsed)
    return rows, unreadable


def _parse(number: int, row: Mapping[str, str]) -> _Row | Unreadable:
    pod = _POD.match(row["PodName"])
    if pod is None:
        return Unreadable(number, f"pod {row['PodName']!r} names no service")
    try:
        # Nanoseconds are cut: Python reads six digits.
        moment = datetime.fromisoformat(row["Timestamp"][:26].rstrip("Z")).replace(tzinfo=UTC)
        text = str(json.loads(row["Log"])["log"])
    except (ValueError, KeyError, TypeError) as error:
        return Unreadable(number, f"no container log line ({error})")
    return _Row(number, pod["service"], moment, read_line(_TRACE.sub("", text)), row["TraceID"])


def _event(row: _Row) -> Event:
    return line_event(FORMAT, row.number, row.line, row.timestamp, service=row.service, trace_id=row.trace_id)
