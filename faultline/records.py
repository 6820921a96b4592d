"""The records that cross process borders, after the OpenTelemetry log data model.

Wire form: one JSON object, UTF-8, keys sorted, timestamps RFC 3339 in UTC with six digits, so that two
writers of the same line produce the same bytes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any, Final

import msgspec

from faultline.errors import DecodeError


class SourceType(StrEnum):
    """Where a record came from (closed set)."""

    APP_CONTAINER_LOG = "app_container_log"
    NGINX_ACCESS = "nginx_access"
    NGINX_ERROR = "nginx_error"
    GITHUB_COMMITS = "github_commits"
    GITHUB_ACTIONS = "github_actions"
    PUBLIC_CLOUD = "public_cloud"
    FASTAPI_STATUS = "fastapi_status"
    APP_CONTAINER_METRICS = "app_container_metrics"


class Severity(StrEnum):
    """OpenTelemetry short severity names; UNSPECIFIED when the source says nothing."""

    UNSPECIFIED = "UNSPECIFIED"
    TRACE = "TRACE"
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"
    FATAL = "FATAL"


DEAD_LETTER_REASONS: Final = (
    "too_large",
    "not_json",
    "missing_field",
    "wrong_type",
    "bad_value",
    "empty_body",
    "timestamp_out_of_range",
    "line_too_long",
)

# Above any line the feeder sends (256 KiB of controls escape to 1.5 MiB), below the topic's 4 MiB.
MAX_RECORD_BYTES: Final = 2 * 1024 * 1024
OLDEST_TIMESTAMP: Final = datetime(2000, 1, 1, tzinfo=UTC)  # a clock that never was set says 1970
MAX_AHEAD: Final = timedelta(days=1)  # covers a local time written as if it were UTC
NEWEST_TIMESTAMP: Final = datetime(2200, 1, 1, tzinfo=UTC)  # later ones overflow in UTC, or as 64-bit nanoseconds

Timestamp = Annotated[datetime, msgspec.Meta(tz=True)]
ShortText = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One line or sample as it was read; never changed afterwards."""

    attributes: dict[str, str]
    body: str
    event_id: ShortText
    host_name: ShortText
    measures: dict[str, float]
    observed_timestamp: Timestamp
    service_name: ShortText
    severity: Severity
    source_type: SourceType
    timestamp: Timestamp
    trace_id: Annotated[str, msgspec.Meta(max_length=256)]

    def to_bytes(self) -> bytes:
        """Return the wire form: sorted keys, so equal events give equal bytes."""
        return encode(self)

    @classmethod
    def from_bytes(cls, value: bytes | None) -> Event:
        """Decode and validate one record.

        Raises DecodeError with one of DEAD_LETTER_REASONS: size, JSON, types, missing fields, empty body,
        a timestamp before 2000 or more than a day after the time the line was read, a reading after 2199.
        """
        if value is None:
            raise DecodeError("not_json", "the record has no value")
        if len(value) > MAX_RECORD_BYTES:
            raise DecodeError("too_large", f"{len(value)} bytes, expected at most {MAX_RECORD_BYTES}")
        try:
            event = _EVENT_DECODER.decode(value)
        except RecursionError as error:  # some 1,000 brackets are enough, in a field that no one asked for
            raise DecodeError("bad_value", "values are nested too deeply to decode, expected two levels") from error
        except msgspec.ValidationError as error:
            raise DecodeError(_validation_reason(str(error)), str(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DecodeError("not_json", str(error)) from error
        _check(event)
        return event


_EVENT_DECODER = msgspec.json.Decoder(Event)
_ENCODER = msgspec.json.Encoder(order="sorted")


def encode(record: msgspec.Struct) -> bytes:
    """Return the sorted-key JSON of a record, timestamps with six digits."""
    return _ENCODER.encode(_plain(record))


def _plain(value: Any) -> Any:
    """Return a record as a dict: msgspec writes times with as few digits as they need."""
    if isinstance(value, datetime):
        return format_timestamp(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, msgspec.Struct):
        return value
    tag = value.__struct_config__.tag
    fields = {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    return fields | ({"kind": tag} if tag else {})


def format_timestamp(moment: datetime) -> str:
    """Return RFC 3339 in UTC with six digits, the only form on the wire.

    >>> format_timestamp(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    '2026-01-02T03:04:05.000000Z'
    """
    # Not strftime: it writes the year 1, the zero time of some loggers, with one digit.
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def make_event_id(host_name: str, path: str, offset: int, line: bytes) -> str:
    """Return the id of a line: the same line read again from the same place gets the same id.

    The place is host, path as configured (a rotated file keeps the path it was written under) and byte
    offset; the bytes tell apart two rotations of one path. 128 bits of SHA-256 as 32 hex digits.
    """
    place = f"{host_name}\n{path}\n{offset}\n".encode()
    return sha256(place + line).hexdigest()[:32]


def _validation_reason(message: str) -> str:
    if message.startswith("Object missing required field"):
        return "missing_field"
    if message.startswith(("Expected `", "Invalid RFC3339", "Expected `datetime`")) and " of length " not in message:
        return "wrong_type"
    return "bad_value"


def _check(event: Event) -> None:
    if not event.body.strip():
        raise DecodeError("empty_body", "field 'body' holds no text, expected at least one visible character")
    ahead = event.timestamp - event.observed_timestamp
    if event.timestamp < OLDEST_TIMESTAMP or ahead > MAX_AHEAD:
        text = (
            f"field 'timestamp' is {event.timestamp.isoformat()}, expected from {OLDEST_TIMESTAMP.isoformat()}"
            f" to 24 h after it was observed ({event.observed_timestamp.isoformat()})"
        )
        raise DecodeError("timestamp_out_of_range", text)
    if event.observed_timestamp >= NEWEST_TIMESTAMP:
        text = f"field 'observed_timestamp' is {event.observed_timestamp.isoformat()}, expected before the year 2200"
        raise DecodeError("timestamp_out_of_range", text)
