"""Where a line was read, and the record every parser starts from."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from faultline.records import Event, Severity, SourceType, make_event_id

_SEVERITIES: Final = {
    "trace": Severity.TRACE,
    "debug": Severity.DEBUG,
    "info": Severity.INFO,
    "information": Severity.INFO,
    "notice": Severity.INFO,
    "warn": Severity.WARN,
    "warning": Severity.WARN,
    "error": Severity.ERROR,
    "err": Severity.ERROR,
    "crit": Severity.FATAL,
    "critical": Severity.FATAL,
    "alert": Severity.FATAL,
    "emerg": Severity.FATAL,
    "fatal": Severity.FATAL,
}


@dataclass(frozen=True)
class Origin:
    """The place of a line: what a parser may not make up."""

    source_type: SourceType
    service_name: str
    host_name: str
    path: str  # as configured; a rotated file keeps the path it was written under. A poll: its URL.
    offset: int  # bytes from the start of the file. A poll: microseconds of its time.
    observed_timestamp: datetime


def make_event(  # noqa: PLR0913 - the parts of a record
    origin: Origin,
    line: bytes,
    body: str,
    *,
    timestamp: object = None,
    severity: Severity = Severity.UNSPECIFIED,
    attributes: Mapping[str, object] | None = None,
    measures: Mapping[str, object] | None = None,
    trace_id: str = "",
) -> Event:
    """Return the record of a line; a timestamp that does not parse is kept as `timestamp.unparsed`."""
    kept = {name: as_text(value) for name, value in (attributes or {}).items() if value not in (None, "", "-")}
    kept["log.file.path"] = origin.path
    kept["log.file.offset"] = str(origin.offset)
    moment = parse_time(timestamp)
    if moment is None and timestamp not in (None, ""):
        kept["timestamp.unparsed"] = as_text(timestamp)
    if not _is_utf8(line):
        kept["log.record.original_base64"] = b64encode(line).decode()
    numbers = {name: number for name, value in (measures or {}).items() if (number := as_number(value)) is not None}
    return Event(
        attributes=kept,
        body=body,
        event_id=make_event_id(origin.host_name, origin.path, origin.offset, line),
        host_name=origin.host_name,
        measures=numbers,
        observed_timestamp=origin.observed_timestamp,
        service_name=origin.service_name,
        severity=severity,
        source_type=origin.source_type,
        timestamp=moment or origin.observed_timestamp,
        trace_id=trace_id[:256],
    )


def plain_event(origin: Origin, line: bytes, error: str = "") -> Event:
    """Return the line itself as body; `error` says why its format's parser could not read it."""
    return make_event(origin, line, decode_text(line), attributes={"parse.error": error})


def decode_text(line: bytes) -> str:
    """Return the line as text; bytes that are not UTF-8 become U+FFFD (make_event keeps the original)."""
    return line.decode("utf-8", "replace")


def _is_utf8(line: bytes) -> bool:
    if line.isascii():
        return True
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def severity_of(level: object) -> Severity:
    """Return the closed severity for a level name in any case; UNSPECIFIED when it is none."""
    return _SEVERITIES.get(str(level).strip().lower(), Severity.UNSPECIFIED)


def parse_time(value: object) -> datetime | None:
    """Return an aware UTC time from RFC 3339 text or seconds since 1970; None when it is neither.

    A time without a zone is taken as UTC.
    """
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def as_text(value: object) -> str:
    """Return text as it is, anything else as JSON with sorted keys."""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value, order="sorted").decode()


def as_number(value: object) -> float | None:
    """Return a finite float, None when the value is no number (or a bool)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < float("inf") else None


def trace_of(fields: Mapping[str, Any]) -> str:
    """Return `trace_id`, or the id inside a W3C `traceparent` (version-trace-span-flags)."""
    if fields.get("trace_id"):
        return str(fields["trace_id"])
    parts = str(fields.get("traceparent") or "").split("-")
    return parts[1] if len(parts) == 4 else ""
