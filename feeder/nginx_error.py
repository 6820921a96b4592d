"""nginx error logs."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from faultline.records import Event
from feeder.origin import Origin, decode_text, make_event, plain_event, severity_of

_LINE: Final = re.compile(
    r"(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?P<level>\w+)\]"
    r" (?P<pid>\d+)#(?P<tid>\d+): (?:\*(?P<connection>\d+) )?(?P<message>.*)",
    re.DOTALL,
)


def parse(origin: Origin, line: bytes) -> Event:
    """Return the record of an error line; its time has no zone and is read in this machine's."""
    match = _LINE.fullmatch(decode_text(line))
    if match is None:
        return plain_event(origin, line, "not in nginx's error format")
    ids = {"process.pid": match["pid"], "thread.id": match["tid"], "nginx.connection": match["connection"]}
    return make_event(
        origin,
        line,
        match["message"],
        timestamp=_local_time(match["time"]),
        severity=severity_of(match["level"]),
        attributes=ids,
    )


def _local_time(text: str) -> str:
    try:
        return datetime.strptime(text, "%Y/%m/%d %H:%M:%S").astimezone().isoformat()
    except ValueError:
        return text
