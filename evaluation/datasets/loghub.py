"""Any text log: labels in its first field (`-` is normal, as in BGL), or in a file by session id (as for HDFS)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

from evaluation.datasets.labelled import ABNORMAL, NORMAL, DatasetError, LabelledSet, Unreadable, parse_label
from evaluation.datasets.line_units import line_set
from evaluation.datasets.lines import RawLine, line_event, read_line, untimed
from evaluation.datasets.options import DatasetOptions
from evaluation.datasets.reading import read_lines, read_table
from evaluation.datasets.sessions import SessionLabel, session_set
from faultline.records import Event

FORMAT: Final = "LOGHUB"
TIMED_SHARE: Final = 0.99  # of the lines must carry a clock that runs forward, else no rate per day is told
MOSTLY: Final = 0.5  # a first field that is `-` on fewer lines is no label
_SESSION_COLUMNS: Final = ("block_id", "blockid", "session", "session_id", "sessionid", "id", "key")
_LABEL_COLUMNS: Final = ("label", "anomaly", "is_anomaly")


def load(path: Path, options: DatasetOptions) -> LabelledSet:
    """Read a text log; raises DatasetError saying which line is not as expected."""
    numbered = [(number, text) for number, text in read_lines(path) if text.strip()]
    if options.labels is None and options.session is None:
        return _by_line(path, numbered, options)
    if options.labels is None or options.session is None:
        raise DatasetError(f"{path}: one of --labels and --session is missing, expected both or none of them")
    return _by_session(path, numbered, options.labels, options.session, options)


def _by_line(path: Path, numbered: Sequence[tuple[int, str]], options: DatasetOptions) -> LabelledSet:
    """The first field is the label: `-` says normal, anything else names the kind of alert."""
    fields = [text.split(" ", 1) for _, text in numbered]
    normal = sum(parts[0] == "-" for parts in fields)
    if not numbered or normal < MOSTLY * len(numbered):
        found = numbered[0][1][:60] if numbered else ""
        raise DatasetError(
            f"{path}: {normal} of {len(numbered)} lines begin with '-' (the first is {found!r}), expected a label as"
            " first field, '-' for normal; or give --labels FILE.csv and --session REGEX"
        )
    empty = [
        Unreadable(n, "nothing after the label")
        for (n, _), parts in zip(numbered, fields, strict=True)
        if not _rest(parts)
    ]
    kept = [(n, parts) for (n, _), parts in zip(numbered, fields, strict=True) if _rest(parts)]
    events, timed = to_events(path.name, [(number, parts[1]) for number, parts in kept])
    labels = [NORMAL if parts[0] == "-" else ABNORMAL for _, parts in kept]
    return line_set(path.name, events, labels, (), options, unreadable=empty, timed=timed)


def _rest(parts: list[str]) -> str:
    return parts[1].strip() if len(parts) > 1 else ""


def _by_session(
    path: Path, numbered: Sequence[tuple[int, str]], labels: Path, session: str, options: DatasetOptions
) -> LabelledSet:
    pattern = _pattern(session)
    found = [(number, text, pattern.search(text)) for number, text in numbered]
    kept = [(number, text, match) for number, text, match in found if match]
    without = [Unreadable(number, "no session id") for number, _, match in found if not match]
    if not kept:
        raise DatasetError(f"{path}: --session {session!r} is found in none of {len(found)} lines, expected in most")
    events, timed = to_events(path.name, [(number, text) for number, text, _ in kept])
    keys = [match[1] if pattern.groups else match[0] for _, _, match in kept]
    return session_set(path.name, events, keys, read_labels(labels), options, unreadable=without, timed=timed)


def _pattern(session: str) -> re.Pattern[str]:
    try:
        return re.compile(session)
    except re.error as error:
        raise DatasetError(
            f"--session {session!r}: {error}, expected a regular expression such as 'blk_-?[0-9]+'"
        ) from error


def read_labels(path: Path) -> dict[str, SessionLabel]:
    """Read a CSV of session ids and labels: columns by their usual names, else the first two; optional `split`."""
    labels: dict[str, SessionLabel] = {}
    for number, row in read_table(path, ()):
        names = {name.lower(): name for name in row if name}
        key = next((names[name] for name in _SESSION_COLUMNS if name in names), None) or next(iter(row))
        column = next((names[name] for name in _LABEL_COLUMNS if name in names), None)
        if column is None:
            raise DatasetError(f"{path}:1: columns are {', '.join(row)}, expected one of {', '.join(_LABEL_COLUMNS)}")
        labels[row[key]] = SessionLabel(parse_label(row[column] or "", f"{path}:{number}"), row.get("split") or "")
    if not labels:
        raise DatasetError(f"{path}: holds no label, expected a header and one session id and label a line")
    return labels


def to_events(name: str, numbered: Sequence[tuple[int, str]]) -> tuple[list[Event], bool]:
    """Return the events of raw lines in their order, and whether their clock can be used.

    The order of the file is the order of time: where a clock is missing or runs backwards, lines are numbered.
    """
    lines = [(number, read_line(text)) for number, text in numbered]
    timed = _has_clock([line for _, line in lines])
    return [line_event(name, n, line, _moment(line, n, timed=timed)) for n, line in lines], timed


def _has_clock(lines: Sequence[RawLine]) -> bool:
    moments = [line.timestamp for line in lines if line.timestamp]
    forward = sum(later >= earlier for earlier, later in pairwise(moments))
    return len(moments) == len(lines) and forward >= TIMED_SHARE * (len(lines) - 1)


def _moment(line: RawLine, number: int, *, timed: bool) -> datetime:
    return line.timestamp if timed and line.timestamp else untimed(number)
