"""What one run of the experiment leaves behind: injections, alerts, normal time. One JSON object a line each."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

import msgspec

from faultline.errors import ConfigError

SIDES: Final = ("ml", "rules", "slo")  # values of the label `side` that compete; `pipeline` is about Faultline itself
OWN_SIGNALS: Final = ("abnormal", "lines_of", "stream")  # names that begin so: what our detectors made of the logs
COUNTED_SEVERITIES: Final = ("page", "ticket")  # `info` is shown and never sent: neither a detection nor a false alarm

T = TypeVar("T")


def counts(severity: str, side: str) -> bool:
    """True for an alert of a competing side that somebody would be told of."""
    return side in SIDES and severity in COUNTED_SEVERITIES


class Injection(msgspec.Struct, frozen=True, kw_only=True):
    """One experiment that was run: the injector's journal, the only truth about what was changed and when.

    `start`: the injecting action was begun; `end`: its rollback had been done. Aware UTC.
    `firing_before`: sides with a page that still fired at `start`; when such a side sends no new alert, its reaction is
    not known.
    """

    number: int  # place in the run's plan, from 1
    experiment: str  # name of the file, without .yaml
    kind: str
    target: str  # service, or "host"
    benign: bool
    repeat: int  # from 1
    start: datetime
    end: datetime
    firing_before: tuple[str, ...] = ()


class AlertSpan(msgspec.Struct, frozen=True, kw_only=True):
    """One alert as Alertmanager held it; `starts_at` is its own, `ends_at` when it was gone, None while it fires."""

    name: str
    side: str
    severity: str
    service: str  # empty for alerts of no service
    starts_at: datetime
    ends_at: datetime | None = None


class NormalPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of normal traffic that was watched for false alarms."""

    start: datetime
    end: datetime


class Aborted(msgspec.Struct, frozen=True, kw_only=True):
    """A planned injection that did not come about, and why; it says nothing about any side."""

    number: int
    experiment: str
    problem: str


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured during one injection, and in the minute before it: the reason of a miss can be read off it.

    Keys of `during` and `before` name a signal (`error_ratio`, `p95_seconds`, `memory_bytes`, `abnormal_lines`, ...);
    values are its maximum over services and time. `traces`: signals that left the range they had in normal time.
    `lines`: the first abnormal lines, as they were written.
    """

    number: int  # of the injection
    during: dict[str, float]
    before: dict[str, float]
    traces: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


def append_record(path: Path, record: msgspec.Struct) -> None:
    """Add one line to a file of records, and have it on disk: a run that is killed goes on behind it."""
    with path.open("a+b") as file:
        _drop_torn_line(file)
        file.write(msgspec.json.encode(record) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _drop_torn_line(file: BinaryIO) -> None:
    """Cut off what a kill left of the last write."""
    file.seek(0)
    content = file.read()
    file.truncate(content.rfind(b"\n") + 1)


def read_records(path: Path, kind: type[T]) -> list[T]:
    """Return the records of a file, none when it does not exist; ConfigError names a line that is none.

    A last line without its end is one whose write was cut off: it is left out.
    """
    if not path.exists():
        return []
    *lines, _torn = path.read_bytes().split(b"\n")
    return [_decode(line, kind, f"{path.name}:{number}") for number, line in enumerate(lines, start=1)]


def _decode(line: bytes, kind: type[T], place: str) -> T:
    try:
        return msgspec.json.decode(line, type=kind)
    except msgspec.MsgspecError as error:
        shown = line[:80].decode("utf-8", "replace")
        raise ConfigError(
            place, shown, f"one {kind.__name__} as JSON ({error}); mend the line, or begin a new run"
        ) from error
