"""nginx access logs: our JSON format, and the standard `combined` format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from faultline.records import Event, Severity
from feeder.json_line import read_object
from feeder.origin import Origin, as_number, decode_text, make_event, plain_event, trace_of

_COMBINED: Final = re.compile(
    r'(?P<remote_addr>\S+) \S+ (?P<remote_user>.*?) \[(?P<time>[^\[\]]{1,64})\] "(?P<request>(?:[^"\\]|\\.)*)"'
    r' (?P<status>\d{3}) (?P<bytes_sent>\d+|-)(?: "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<user_agent>(?:[^"\\]|\\.)*)")?'
)
# OpenTelemetry's names: https://opentelemetry.io/docs/specs/semconv/http/http-spans/
_ATTRIBUTES: Final = {
    "remote_addr": "client.address",
    "remote_user": "user.name",
    "status": "http.response.status_code",
    "upstream_addr": "upstream.address",
    "upstream_status": "upstream.status_code",
    "request_id": "request_id",
    "user_agent": "user_agent.original",
    "referer": "http.request.header.referer",
    "host": "server.address",
}
_MEASURES: Final = {
    "bytes_sent": "http.response.size_bytes",
    "request_time": "http.server.request.duration_seconds",
    "upstream_response_time": "upstream.response.duration_seconds",
}
_NAMED: Final = frozenset(
    {*_ATTRIBUTES, *_MEASURES, "method", "uri", "timestamp", "msec", "time", "request", "traceparent", "trace_id"}
)


def parse_json(origin: Origin, line: bytes) -> Event:
    """Return the record of a JSON access line; body is method, path with query, and status."""
    fields = read_object(line)
    if isinstance(fields, str):
        return plain_event(origin, line, fields)
    if not fields.get("method") or not fields.get("uri"):
        return plain_event(origin, line, "no 'method' or no 'uri'")
    return _event(origin, line, str(fields["method"]), str(fields["uri"]), fields)


def parse_combined(origin: Origin, line: bytes) -> Event:
    """Return the record of a `combined` (or `common`) line."""
    text = decode_text(line)
    match = _COMBINED.match(text)
    if match is None:
        return plain_event(origin, line, "not in nginx's combined format")
    fields: dict[str, Any] = dict(match.groupdict(default=""))
    fields["timestamp"] = _clf_time(fields["time"])
    method, _, rest = fields["request"].partition(" ")
    uri, _, protocol = rest.rpartition(" ")
    fields["network.protocol.version"] = protocol.removeprefix("HTTP/") if uri else ""
    fields["nginx.rest_of_line"] = text[match.end() :].strip()  # of formats that append to `combined`
    return _event(origin, line, method or "-", uri or rest or "-", fields)


def _event(origin: Origin, line: bytes, method: str, uri: str, fields: Mapping[str, Any]) -> Event:
    status = str(fields.get("status") or "")
    path, _, query = uri.partition("?")
    attributes = {name: fields.get(key) for key, name in _ATTRIBUTES.items()}
    attributes |= {key: value for key, value in fields.items() if key not in _NAMED}
    tries = fields.get("upstream_response_time")
    if isinstance(tries, str) and re.search("[,:]", tries):
        attributes["upstream.response.durations"] = tries
    attributes |= {"http.request.method": method, "url.path": path, "url.query": query}
    return make_event(
        origin,
        line,
        f"{method} {uri} {status}".rstrip(),
        timestamp=_moment(fields),
        severity=_severity(status),
        attributes=attributes,
        measures={name: _last(fields.get(key)) for key, name in _MEASURES.items()},
        trace_id=trace_of(fields),
    )


def _severity(status: str) -> Severity:
    return {"5": Severity.ERROR, "4": Severity.WARN}.get(status[:1], Severity.INFO)


def _moment(fields: Mapping[str, Any]) -> object:
    """Return nginx's $msec (seconds with milliseconds); the time as text when there is none, or no number."""
    msec, text = fields.get("msec"), fields.get("timestamp")
    seconds = as_number(msec)
    return seconds if seconds is not None else text if text is not None else msec


def _last(value: object) -> object:
    """Of several upstream tries ("0.001, 0.002", after an internal redirect " : ") the last one answered."""
    return re.split("[,:]", value)[-1].strip() if isinstance(value, str) else value


def _clf_time(text: str) -> str:
    try:
        return datetime.strptime(text, "%d/%b/%Y:%H:%M:%S %z").isoformat()
    except ValueError:
        return text
