"""JSON lines: {timestamp, message, label} and, when there, service, level, session, split."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from evaluation.datasets.labelled import (
    ABNORMAL,
    NORMAL,
    TEST,
    TRAIN,
    DatasetError,
    LabelledSet,
    parse_label,
    split_in_time,
)
from evaluation.datasets.line_units import line_set
from evaluation.datasets.lines import RawLine, line_event
from evaluation.datasets.options import DatasetOptions
from evaluation.datasets.reading import read_lines
from evaluation.datasets.service_windows import minute_set, observed, window_start
from evaluation.datasets.sessions import SessionLabel, session_set
from faultline.records import Event
from feeder.origin import parse_time, severity_of

FORMAT: Final = "JSONL"


@dataclass(frozen=True)
class _Line:
    event: Event
    label: int
    session: str
    split: str


def load(path: Path, options: DatasetOptions) -> LabelledSet:
    """Read JSON lines; judged by minutes of a service when asked to, else by session when every line names one.

    Raises DatasetError with the line's number.
    """
    lines = [_parse(path, number, text) for number, text in read_lines(path) if text.strip()]
    if not lines:
        raise DatasetError(f"{path}: holds no line, expected one JSON object a line")
    lines.sort(key=lambda line: line.event.timestamp)
    events = [line.event for line in lines]
    if options.windows:
        return _by_minute(path.name, lines, options)
    if all(line.session for line in lines):
        return session_set(path.name, events, [line.session for line in lines], _sessions(lines), options, timed=True)
    splits = [line.split for line in lines]
    labels = [line.label for line in lines]
    return line_set(path.name, events, labels, splits if all(splits) else (), options, timed=True)


def _by_minute(name: str, lines: list[_Line], options: DatasetOptions) -> LabelledSet:
    """A minute of a service is abnormal when one of its lines is; it tests when a line of any service then does."""
    events = [line.event for line in lines]
    minutes = [window_start(event.timestamp) for event in events]
    wrong = {(e.service_name, at) for e, at, line in zip(events, minutes, lines, strict=True) if line.label}
    if all(line.split for line in lines):
        tests = {at for at, line in zip(minutes, lines, strict=True) if line.split == TEST}
    else:
        starts = observed(events)
        tests = {at for at, split in zip(starts, split_in_time(starts, options.split), strict=True) if split == TEST}
    return minute_set(
        name,
        events,
        lambda service, start: ABNORMAL if (service, start) in wrong else NORMAL,
        lambda start: TEST if start in tests else TRAIN,
    )


def _sessions(lines: list[_Line]) -> dict[str, SessionLabel]:
    """A session is abnormal when one of its lines is; it belongs to the split of its first line."""
    found: dict[str, SessionLabel] = {}
    for line in lines:
        before = found.get(line.session, SessionLabel(line.label, line.split))
        found[line.session] = SessionLabel(max(before.label, line.label), before.split)
    return found


def _parse(path: Path, number: int, text: str) -> _Line:
    where = f"{path}:{number}"
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise DatasetError(f"{where}: not JSON ({error}), expected an object with timestamp, message, label") from error
    if not isinstance(fields, dict):
        raise DatasetError(f"{where}: is a {type(fields).__name__}, expected an object with timestamp, message, label")
    split = str(fields.get("split", ""))
    if split not in ("", TRAIN, TEST):
        raise DatasetError(f"{where}: field 'split' is {split!r}, expected {TRAIN} or {TEST}")
    label = parse_label(
        str(int(fields["label"]) if isinstance(fields.get("label"), bool) else fields.get("label")), where
    )
    return _Line(_event(path, number, fields), label, str(fields.get("session", "")), split)


def _event(path: Path, number: int, fields: Mapping[str, Any]) -> Event:
    """Only time, message, level and service become the record: the label does not."""
    moment, message = parse_time(fields.get("timestamp")), fields.get("message")
    if moment is None:
        found = f"{path}:{number}: field 'timestamp' is {fields.get('timestamp')!r}"
        raise DatasetError(f"{found}, expected RFC 3339 or seconds since 1970")
    if not isinstance(message, str) or not message.strip():
        raise DatasetError(f"{path}:{number}: field 'message' is {message!r}, expected text")
    line = RawLine(moment, severity_of(fields.get("level", "")), message)
    return line_event(path.name, number, line, moment, service=str(fields.get("service", "")))
