"""Wire form of records: round trip, canonical bytes, and one named input per way to be wrong."""

from __future__ import annotations

import doctest
import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline import records
from faultline.errors import DecodeError
from faultline.records import DEAD_LETTER_REASONS, MAX_RECORD_BYTES, Event, Severity, SourceType, make_event_id

GOOD: dict[str, Any] = {
    "attributes": {},
    "body": "order placed",
    "event_id": "0123456789abcdef",
    "host_name": "localhost",
    "measures": {},
    "observed_timestamp": "2026-01-02T03:04:05.000000Z",
    "service_name": "orders",
    "severity": "INFO",
    "source_type": "app_container_log",
    "timestamp": "2026-01-02T03:04:05.000000Z",
    "trace_id": "",
}
GOOD_BYTES = json.dumps(GOOD).encode()


def with_fields(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def with_text(old: bytes, new: bytes) -> bytes:
    assert GOOD_BYTES.count(old) == 1
    return GOOD_BYTES.replace(old, new)


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in GOOD.items() if key != name}).encode()


def nested(depth: int) -> bytes:
    return GOOD_BYTES[:-1] + b', "more": ' + b"[" * depth + b"]" * depth + b"}"


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
short_texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(2001, 1, 1), datetime(2199, 12, 30), timezones=zones)
events = st.builds(
    Event,
    attributes=st.dictionaries(texts, texts, max_size=5),
    body=texts.filter(lambda text: text.strip()),
    event_id=short_texts,
    host_name=short_texts,
    measures=st.dictionaries(texts, st.floats(allow_nan=False, allow_infinity=False), max_size=5),
    observed_timestamp=moments,
    service_name=short_texts,
    severity=st.sampled_from(Severity),
    source_type=st.sampled_from(SourceType),
    timestamp=moments,
    trace_id=texts,
).filter(lambda event: event.timestamp <= event.observed_timestamp + timedelta(days=1))


@given(events)
def test_round_trip(event: Event) -> None:
    assert Event.from_bytes(event.to_bytes()) == event


@given(events)
def test_bytes_are_canonical(event: Event) -> None:
    value = event.to_bytes()
    assert Event.from_bytes(value).to_bytes() == value
    assert list(json.loads(value)) == sorted(json.loads(value))


def test_keys_are_sorted_and_timestamps_have_six_digits_in_utc() -> None:
    value = with_fields(timestamp="2026-01-02T05:04:05+02:00", attributes={"b": "2", "a": "1"})
    assert Event.from_bytes(value).to_bytes() == (
        b'{"attributes":{"a":"1","b":"2"},"body":"order placed","event_id":"0123456789abcdef",'
        b'"host_name":"localhost","measures":{},"observed_timestamp":"2026-01-02T03:04:05.000000Z",'
        b'"service_name":"orders","severity":"INFO","source_type":"app_container_log",'
        b'"timestamp":"2026-01-02T03:04:05.000000Z","trace_id":""}'
    )


@pytest.mark.parametrize("source_type", SourceType)
def test_every_source_type_is_read(source_type: SourceType) -> None:
    assert Event.from_bytes(with_fields(source_type=source_type.value)).source_type is source_type


def test_source_types_are_the_eight_that_users_know() -> None:
    assert [source_type.value for source_type in SourceType] == [
        "app_container_log",
        "nginx_access",
        "nginx_error",
        "github_commits",
        "github_actions",
        "public_cloud",
        "fastapi_status",
        "app_container_metrics",
    ]


@pytest.mark.parametrize("severity", Severity)
def test_every_severity_is_read(severity: Severity) -> None:
    assert Event.from_bytes(with_fields(severity=severity.value)).severity is severity


def test_unknown_fields_are_left_out() -> None:
    assert Event.from_bytes(with_fields(added_later=[1, {}])).to_bytes() == Event.from_bytes(GOOD_BYTES).to_bytes()


BAD = {
    "no value": (None, "not_json", "the record has no value"),
    "empty": (b"", "not_json", "Input data was truncated"),
    "blank": (b" ", "not_json", "Input data was truncated"),
    "text": (b"GET / 200", "not_json", "JSON is malformed: invalid character (byte 0)"),
    "cut off": (GOOD_BYTES[:-9], "not_json", "Input data was truncated"),
    "two records": (GOOD_BYTES + GOOD_BYTES, "not_json", "JSON is malformed: trailing characters"),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD_BYTES, "not_json", "invalid character (byte 0)"),
    "UTF-16": (GOOD_BYTES.decode().encode("utf-16"), "not_json", "invalid character (byte 0)"),
    "invalid UTF-8": (with_text(b"order placed", b"\xff\xfe"), "not_json", "'utf-8' codec can't decode byte 0xff"),
    "raw surrogate": (with_text(b"order placed", b"\xed\xa0\x80"), "not_json", "can't decode byte 0xed"),
    "lone surrogate": (with_fields(body="\ud800"), "not_json", "unexpected end of escaped utf-16 surrogate pair"),
    "raw null byte": (with_text(b"order placed", b"\x00"), "not_json", "invalid character"),
    "NaN": (with_fields(measures={"a": float("nan")}), "not_json", "invalid character"),
    "1e999": (with_text(b'"measures": {}', b'"measures": {"a": 1e999}'), "bad_value", "Number out of range"),
    "list": (b"[]", "wrong_type", "Expected `object`, got `array`"),
    "null": (b"null", "wrong_type", "Expected `object`, got `null`"),
    "body is a number": (with_fields(body=5), "wrong_type", "Expected `str`, got `int` - at `$.body`"),
    "body is null": (with_fields(body=None), "wrong_type", "Expected `str`, got `null` - at `$.body`"),
    "repeated field": (GOOD_BYTES[:-1] + b', "body": 5}', "wrong_type", "Expected `str`, got `int` - at `$.body`"),
    "attribute is a number": (with_fields(attributes={"a": 1}), "wrong_type", "got `int` - at `$.attributes[...]`"),
    "attributes is a list": (with_fields(attributes=[]), "wrong_type", "got `array` - at `$.attributes`"),
    "measure is text": (with_fields(measures={"a": "1"}), "wrong_type", "got `str` - at `$.measures[...]`"),
    "measure is null": (with_fields(measures={"a": None}), "wrong_type", "got `null` - at `$.measures[...]`"),
    "time is a number": (with_fields(timestamp=5), "wrong_type", "Expected `datetime`, got `int` - at `$.timestamp`"),
    "time is a word": (with_fields(timestamp="now"), "wrong_type", "Invalid RFC3339 encoded datetime"),
    "time has no zone": (with_fields(timestamp="2026-01-02T03:04:05"), "wrong_type", "with a timezone component"),
    "30 February": (with_fields(timestamp="2026-02-30T00:00:00Z"), "wrong_type", "Invalid RFC3339 encoded datetime"),
    "no body": (without("body"), "missing_field", "Object missing required field `body`"),
    "no timestamp": (without("timestamp"), "missing_field", "Object missing required field `timestamp`"),
    "no source type": (without("source_type"), "missing_field", "Object missing required field `source_type`"),
    "unknown source type": (with_fields(source_type="syslog"), "bad_value", "Invalid enum value 'syslog'"),
    "unknown severity": (with_fields(severity="WARNING"), "bad_value", "Invalid enum value 'WARNING'"),
    "empty event id": (with_fields(event_id=""), "bad_value", "Expected `str` of length >= 1 - at `$.event_id`"),
    "long event id": (with_fields(event_id="i" * 257), "bad_value", "of length <= 256 - at `$.event_id`"),
    "deep": (nested(100_000), "bad_value", "values are nested too deeply to decode, expected two levels"),
    "empty body": (with_fields(body=""), "empty_body", "field 'body' holds no text, expected at least one visible"),
    "blank body": (with_fields(body=" \t\n\u00a0\u2028"), "empty_body", "field 'body' holds no text"),
    "1970": (
        with_fields(timestamp="1970-01-01T00:00:00Z"),
        "timestamp_out_of_range",
        "field 'timestamp' is 1970-01-01T00:00:00+00:00, expected from 2000-01-01T00:00:00+00:00 to 24 h after it was"
        " observed (2026-01-02T03:04:05+00:00)",
    ),
    "2099": (
        with_fields(timestamp="2099-01-01T00:00:00Z"),
        "timestamp_out_of_range",
        "field 'timestamp' is 2099-01-01T00:00:00+00:00",
    ),
    "9999": (with_fields(timestamp="9999-12-31T23:59:59-12:00"), "timestamp_out_of_range", "is 9999-12-31T23:59:59"),
    "year 1": (with_fields(timestamp="0001-01-01T00:00:00+12:00"), "timestamp_out_of_range", "is 0001-01-01"),
    "observed in 1970": (
        with_fields(observed_timestamp="1970-01-01T00:00:00Z"),
        "timestamp_out_of_range",
        "to 24 h after it was observed (1970-01-01T00:00:00+00:00)",
    ),
    "observed in 9999": (
        with_fields(observed_timestamp="9999-12-31T23:59:59-12:00"),
        "timestamp_out_of_range",
        "field 'observed_timestamp' is 9999-12-31T23:59:59-12:00, expected before the year 2200",
    ),
    "too large": (
        with_fields(body="x" * MAX_RECORD_BYTES),
        "too_large",
        f"bytes, expected at most {MAX_RECORD_BYTES}",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_bytes_are_refused_with_reason_and_text(name: str) -> None:
    value, reason, detail = BAD[name]
    with pytest.raises(DecodeError) as caught:
        Event.from_bytes(value)
    assert (caught.value.reason, detail in caught.value.detail) == (reason, True), caught.value
    assert str(caught.value) == f"{reason}: {caught.value.detail}"


def test_every_reason_of_the_decoder_is_declared() -> None:
    assert {reason for _, reason, _ in BAD.values()} == set(DEAD_LETTER_REASONS) - {"line_too_long"}


def test_the_largest_record_is_read() -> None:
    padding = MAX_RECORD_BYTES - len(with_fields(body=""))
    assert len(Event.from_bytes(with_fields(body="x" * padding)).body) == padding


def test_a_clock_a_few_hours_ahead_is_read_and_one_a_second_too_far_is_not() -> None:
    Event.from_bytes(with_fields(timestamp="2026-01-03T03:04:05Z"))
    with pytest.raises(DecodeError, match="timestamp_out_of_range"):
        Event.from_bytes(with_fields(timestamp="2026-01-03T03:04:05.000001Z"))


def test_a_host_that_lives_in_2099_is_read() -> None:
    moment = "2099-01-01T00:00:00Z"
    assert Event.from_bytes(with_fields(timestamp=moment, observed_timestamp=moment)).timestamp.year == 2099


def test_null_characters_are_text() -> None:
    assert Event.from_bytes(with_fields(body="\0\0")).body == "\0\0"


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_decode_errors(value: bytes) -> None:
    with pytest.raises(DecodeError):
        Event.from_bytes(value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), json_values, max_size=3))
def test_arbitrary_values_in_fields_raise_nothing_but_decode_errors(changes: dict[str, Any]) -> None:
    try:
        event = Event.from_bytes(with_fields(**changes))
    except DecodeError as error:
        assert error.reason in DEAD_LETTER_REASONS
    else:
        assert Event.from_bytes(event.to_bytes()) == event


@given(st.integers(0, len(GOOD_BYTES) - 1), st.integers(0, 255))
def test_one_changed_byte_raises_nothing_but_decode_errors(place: int, byte: int) -> None:
    value = bytearray(GOOD_BYTES)
    value[place] = byte
    try:
        Event.from_bytes(bytes(value)).to_bytes()
    except DecodeError as error:
        assert error.reason in DEAD_LETTER_REASONS


def test_event_id_is_the_same_in_every_process_and_version() -> None:
    assert make_event_id("host", "/var/log/a.log", 42, b"a line") == "4f1b758529c74ba8a6b99b4f57d3e3e9"


@pytest.mark.parametrize(
    "other",
    [
        ("host2", "/a.log", 42, b"a line"),
        ("host", "/b.log", 42, b"a line"),
        ("host", "/a.log", 43, b"a line"),
        ("host", "/a.log", 42, b"a line "),
    ],
)
def test_event_id_tells_places_and_lines_apart(other: tuple[str, str, int, bytes]) -> None:
    assert make_event_id(*other) != make_event_id("host", "/a.log", 42, b"a line")


def test_doctests() -> None:
    results = doctest.testmod(records)
    assert (results.failed, results.attempted > 0) == (0, True)
