"""The only place where an Event becomes model input; train, serve and evaluate call it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from faultline.records import Event, Severity, SourceType

# Part of every model: one trained on other features is refused. Raise it when text or facts change their meaning.
FEATURES_VERSION: Final = 3

# MiniLM reads at most 128 tokens; a thousand characters hold them, and bound the cost of a 1 MB line.
MAX_TEXT_CHARS: Final = 1000
PROTECTED_PREFIX: Final = "status="  # a token that starts so is never generalised into a wildcard

_PHRASES: Final = {str(status.value): status.phrase.replace(" ", "-") for status in HTTPStatus} | {
    "499": "Client-Closed-Request"  # nginx's own
}
_DIGIT_NAMES: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def event_text(event: Event) -> str:
    """Return the sentence a line amounts to: level first, then what it says, at most MAX_TEXT_CHARS.

    Status codes are spelled out (`status=Bad-Gateway`): they carry meaning, and digits will be masked.
    """
    is_access = event.source_type is SourceType.NGINX_ACCESS
    return (_access_text(event) if is_access else _message_text(event))[:MAX_TEXT_CHARS]


def status_token(code: str) -> str:
    """Return a status code as a protected word.

    >>> status_token("502"), status_token("599")
    ('status=Bad-Gateway', 'status=five-nine-nine')
    """
    spelled = "-".join(_DIGIT_NAMES[int(digit)] if digit in "0123456789" else digit for digit in code[:8])
    return PROTECTED_PREFIX + _PHRASES.get(code, spelled)


def _access_text(event: Event) -> str:
    code = event.attributes.get("http.response.status_code")
    path = event.attributes.get("url.path")
    if not code or not path:
        return _message_text(event)
    method = event.attributes.get("http.request.method", "-")
    return f"{status_token(code)} {method} {path[:MAX_TEXT_CHARS]}"


def _message_text(event: Event) -> str:
    level = "" if event.severity is Severity.UNSPECIFIED else f"{event.severity} "
    text = level + event.body[:MAX_TEXT_CHARS]
    trace = event.attributes.get("exception.stacktrace", "").rstrip()
    if trace:
        # The last line of a Python trace names the error; the frames above it vary with every release.
        error = " exception: " + trace.rsplit("\n", 1)[-1][:200]
        text = text[: MAX_TEXT_CHARS - len(error)] + error  # a long message must not push it out
    return text


class Fact(msgspec.Struct, frozen=True, array_like=True):
    """What a service did within one second: `total` adds up and `peak` is the greatest, over `lines` records.

    Facts of parts of the records merge into those of all: workers count alone. Names: `lines:<source type>`,
    `level:<WARN|ERROR>`, `status:<n>xx`, `template:<id>`, `value:<measure>#<half octave>`, `gauge:<series>`,
    `counter:<series>`.
    """

    service_name: str
    second: int  # Unix time
    name: str
    total: float
    peak: float
    lines: int


Key = tuple[str, int, str]
UNKNOWN_TEMPLATE: Final = "template:unknown"
_LEVELS: Final = {Severity.WARN: "level:WARN", Severity.ERROR: "level:ERROR", Severity.FATAL: "level:ERROR"}
_MAX_SERIES: Final = 64  # of a metrics page, by name; bounds the facts of one record
# What a line may call the time its work took, in seconds: OpenTelemetry's name, then usual ones.
_DURATIONS: Final = {
    "http.server.request.duration_seconds": 1.0,
    "duration_seconds": 1.0,
    "duration_ms": 0.001,
    "elapsed_seconds": 1.0,
    "elapsed_ms": 0.001,
    "latency_ms": 0.001,
}
MAX_KEY_CHARS: Final = 256  # as a trace id may have; bounds the state that sessions take


def event_second(event: Event, appended: datetime) -> int:
    """Return the second a record belongs to: its own time, but never after it was read or reached the broker.

    A host whose clock is ahead would else pull everybody's windows into the future.
    """
    return int(min(event.timestamp, event.observed_timestamp, appended).timestamp())


def event_facts(events: Sequence[Event], templates: Sequence[str], seconds: Sequence[int]) -> list[Fact]:
    """Return the facts of records in any order: `templates` [n] are ids or UNKNOWN_TEMPLATE, `seconds` their times."""
    counts: Counter[tuple[str, int, str, str, str | None, str]] = Counter()
    sampled: list[tuple[str, int, Event]] = []
    for event, template, second in zip(events, templates, seconds, strict=True):
        status = event.attributes.get("http.response.status_code", "")[:1]
        kind, level = event.source_type.value, _LEVELS.get(event.severity)
        counts[event.service_name, second, kind, status, level, template] += 1
        if event.measures:
            sampled.append((event.service_name, second, event))
    totals: Counter[Key] = Counter()
    for (service, second, kind, status, level, template), lines in counts.items():
        names = [f"lines:{kind}", level, f"status:{status}xx" if status else None, template]
        totals.update({(service, second, name): lines for name in names if name})
    facts = [Fact(*key, float(lines), 1.0, lines) for key, lines in totals.items()]
    return facts + merge_facts(fact for where in sampled for fact in _measured(*where))


def merge_facts(facts: Iterable[Fact]) -> list[Fact]:
    """Return one fact per service, second and name."""
    merged: dict[Key, Fact] = {}
    for fact in facts:
        key = (fact.service_name, fact.second, fact.name)
        other = merged.get(key)
        merged[key] = fact if other is None else _join(fact, other)
    return list(merged.values())


def _join(a: Fact, b: Fact) -> Fact:
    return Fact(a.service_name, a.second, a.name, a.total + b.total, max(a.peak, b.peak), a.lines + b.lines)


def _measured(service: str, second: int, event: Event) -> list[Fact]:
    if event.source_type is SourceType.APP_CONTAINER_METRICS:
        return [Fact(service, second, name, value, value, 1) for name, value in _series(event).items()]
    return [
        Fact(service, second, f"value:{name}#{half_octave(value)}", 1.0, 1.0, 1)
        for name, value in list(event.measures.items())[:_MAX_SERIES]
        if math.isfinite(value) and value >= 0
    ]


def half_octave(value: float) -> int:
    """Return the bin of a value, two bins to a doubling: quantiles of bins merge, at a precision of 19 %.

    >>> half_octave(1.0), half_octave(2.0), half_octave(3.0), half_octave(0.0)
    (0, 2, 3, -64)
    """
    return max(-64, math.floor(2 * math.log2(value))) if value > 0 else -64


def _series(event: Event) -> dict[str, float]:
    """Sum a metrics page over labels: what a service does in all; times of day say nothing."""
    summed: dict[str, float] = {}
    for name, value in sorted(event.measures.items()):
        base = name.partition("{")[0]
        kind = "counter" if base.endswith(("_total", "_sum", "_count")) else "gauge"
        series = f"{kind}:{base}"
        fits = series in summed or len(summed) < _MAX_SERIES
        if fits and math.isfinite(value) and not base.endswith("_time_seconds"):
            summed[series] = summed.get(series, 0.0) + value
    return summed


def session_keys(events: Sequence[Event], pattern: str = "") -> list[str]:
    """Return what ties each line to others of one request or block, [n]; "" when nothing does.

    That is its trace id, else its attribute `request_id`, else what the group `key` of `pattern`, a RE2 expression as
    settings.read_session_pattern gives it, finds in its text. An id of nothing but zeros and dashes is none.
    """
    own = [_own_key(event) for event in events]
    if not pattern:
        return own
    texts = [None if key else event.body[:MAX_TEXT_CHARS] for key, event in zip(own, events, strict=True)]
    found = pc.struct_field(pc.extract_regex(pa.array(texts, pa.string()), pattern=pattern), "key").to_pylist()
    return [key or (in_text or "")[:MAX_KEY_CHARS] for key, in_text in zip(own, found, strict=True)]


def event_duration(event: Event) -> float | None:
    """Return how long the work took that a line ends, in seconds; None when it does not say."""
    for name, factor in _DURATIONS.items():
        value = event.measures.get(name)
        if value is not None and math.isfinite(value) and value >= 0:
            return value * factor
    return None


def event_operation(event: Event) -> str:
    """Return which operation of its service a line belongs to, empty when it does not say."""
    return event.attributes.get("http.route", "")[:MAX_KEY_CHARS]


def _own_key(event: Event) -> str:
    for key in (event.trace_id, event.attributes.get("request_id", "")):
        if key.strip("0-"):
            return key[:MAX_KEY_CHARS]
    return ""
