"""From a raw line of any log to an Event: leading clock and place tokens are header, the level is the severity."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from faultline.records import NEWEST_TIMESTAMP, OLDEST_TIMESTAMP, Event, Severity, SourceType
from feeder.origin import severity_of

UNTIMED_START: Final = datetime(2000, 1, 1, tzinfo=UTC)  # of lines without a clock: one second each
MAX_HEADER_TOKENS: Final = 14
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CALENDAR: Final = frozenset((*_MONTHS, "mon", "tue", "wed", "thu", "fri", "sat", "sun", "utc", "gmt"))
_NOBODY: Final = frozenset(("null", "none", "unknown", "unknown_location"))  # where a host's name would stand
_MORE_LEVELS: Final = {"severe": Severity.ERROR, "failure": Severity.FATAL, "fine": Severity.DEBUG}
_PROGRAM: Final = re.compile(r"^[A-Za-z].*(?:\[\d+\]|:)$")  # sshd[24200]: begins what a line says
_EPOCH: Final = re.compile(r"\b(\d{9,10})(?:\.\d+)?\b")
_ISO: Final = re.compile(r"(\d{4})[-./](\d{2})[-./](\d{2})[T _-](\d{2})[:.](\d{2})[:.](\d{2})")
_COMPACT: Final = re.compile(r"^(\d{2})(\d{2})(\d{2}) (\d{2})(\d{2})(\d{2})\b")


@dataclass(frozen=True)
class RawLine:
    """A line taken apart; `timestamp` is None when no clock was found."""

    timestamp: datetime | None
    severity: Severity
    body: str


def read_line(text: str) -> RawLine:
    """Take a line apart: leading tokens that hold digits, or name a day or month, are header; then comes the level.

    >>> read_line("081109 203530 147 INFO dfs.DataNode: Receiving block blk_1")
    RawLine(timestamp=datetime.datetime(2008, 11, 9, 20, 35, 30, tzinfo=datetime.timezone.utc), \
severity=<Severity.INFO: 'INFO'>, body='dfs.DataNode: Receiving block blk_1')
    """
    tokens = text.split()
    start = _header_length(tokens)
    severity, rest = _take_level(tokens[start:])
    body = " ".join(rest) or text.strip()
    return RawLine(_find_time(" ".join(tokens[: start + 1])), severity, body)


def _header_length(tokens: list[str]) -> int:
    """Count leading tokens that say when and where; at least one token stays."""
    limit = min(MAX_HEADER_TOKENS, max(len(tokens) - 1, 0))
    return next((i for i, token in enumerate(tokens[:limit]) if not _is_header(token)), limit)


def _is_header(token: str) -> bool:
    if _PROGRAM.search(token):
        return False
    letters = token.strip("[](),:-").lower()
    return letters in _CALENDAR or letters in _NOBODY or not letters or any(c.isdigit() for c in letters)


def _take_level(tokens: list[str]) -> tuple[Severity, list[str]]:
    """Find the level among the next tokens: component names may stand before it (RAS KERNEL INFO)."""
    for place, token in enumerate(tokens[:4]):
        word = token.strip("[]():,-")
        level = severity_of(word) if word.isupper() or token != word else Severity.UNSPECIFIED
        level = _MORE_LEVELS.get(word.lower(), level) if word.isupper() else level
        if level is not Severity.UNSPECIFIED and len(tokens) > 1:
            return level, tokens[:place] + tokens[place + 1 :]
    return Severity.UNSPECIFIED, tokens


def _find_time(header: str) -> datetime | None:
    moment = _epoch(header) or _fields(_ISO.search(header), 0) or _fields(_COMPACT.search(header), 2000)
    return moment if moment and OLDEST_TIMESTAMP <= moment < NEWEST_TIMESTAMP else None


def _epoch(header: str) -> datetime | None:
    match = _EPOCH.search(header)
    return datetime.fromtimestamp(int(match[1]), UTC) if match else None


def _fields(match: re.Match[str] | None, century: int) -> datetime | None:
    if match is None:
        return None
    year, *rest = map(int, match.groups())
    try:
        return datetime(year + century, *rest, tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        return None


def untimed(number: int) -> datetime:
    """Return a made-up time that keeps the order of lines which carry none."""
    return UNTIMED_START + timedelta(seconds=number)


def line_event(  # noqa: PLR0913 - the parts of a record
    name: str, number: int, line: RawLine, timestamp: datetime, *, service: str = "", trace_id: str = ""
) -> Event:
    """Return the record of a line as the stream would see it; `name` and number make its id."""
    return Event(
        attributes={},
        body=line.body or "-",
        event_id=f"{name}:{number}",
        host_name=name,
        measures={},
        observed_timestamp=timestamp,
        service_name=(service or name)[:256],
        severity=line.severity,
        source_type=SourceType.APP_CONTAINER_LOG,
        timestamp=timestamp,
        trace_id=trace_id[:256],
    )
