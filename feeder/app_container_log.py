"""Application logs: JSON lines, or plain text."""

from __future__ import annotations

from typing import Any, Final

from faultline.records import Event, Severity
from feeder.json_line import read_object
from feeder.origin import Origin, as_number, make_event, plain_event, severity_of, trace_of

_MESSAGE: Final = ("message", "msg", "body", "log", "event")
_TIME: Final = ("timestamp", "time", "ts", "@timestamp")
_LEVEL: Final = ("level", "severity", "levelname", "log.level")
_RENAMED: Final = {
    "exception": "exception.stacktrace",
    "logger": "code.logger",
    "route": "http.route",
    "status": "http.response.status_code",
    "service": "service.name",
}
_MEASURED_SUFFIXES: Final = ("_ms", "_seconds", "_bytes", "_count")


def parse_json(origin: Origin, line: bytes) -> Event:
    """Return the record of a JSON line; the message is the body, every other field is kept."""
    fields = read_object(line)
    if isinstance(fields, str):
        return plain_event(origin, line, fields)
    message = _take(fields, _MESSAGE)
    if not isinstance(message, str):
        return plain_event(origin, line, f"no text under any of {', '.join(_MESSAGE)}")
    moment, level = _take(fields, _TIME), _take(fields, _LEVEL)
    trace_id = trace_of(fields)
    if trace_id:
        for name in ("trace_id", "traceparent"):
            fields.pop(name, None)
    measures = {name: value for name, value in fields.items() if _is_measure(name, value)}
    attributes = {_RENAMED.get(name, name): value for name, value in fields.items() if name not in measures}
    severity = severity_of(level)
    if severity is Severity.UNSPECIFIED and level is not None:
        attributes["level.unparsed"] = level
    return make_event(
        origin,
        line,
        message,
        timestamp=moment,
        severity=severity,
        attributes=attributes,
        measures=measures,
        trace_id=trace_id,
    )


def parse_plain(origin: Origin, line: bytes) -> Event:
    """Return the record of a line of text: the line is the body."""
    return plain_event(origin, line)


def _take(fields: dict[str, Any], names: tuple[str, ...]) -> object:
    for name in names:
        if fields.get(name) is not None:
            return fields.pop(name)
    return None


def _is_measure(name: str, value: object) -> bool:
    return name.endswith(_MEASURED_SUFFIXES) and not isinstance(value, str) and as_number(value) is not None
