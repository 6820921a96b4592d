from base64 import b64decode
from datetime import UTC, datetime

import pytest

from faultline.records import Event, Severity, make_event_id
from feeder.origin import as_number, as_text, make_event, parse_time, plain_event, severity_of, trace_of


def test_record_says_where_it_came_from(make_origin):
    event = plain_event(make_origin(), b"hello")
    assert event.event_id == make_event_id("h1", "/var/log/x.log", 42, b"hello")
    assert event.attributes == {"log.file.path": "/var/log/x.log", "log.file.offset": "42"}
    assert (event.host_name, event.service_name, event.body) == ("h1", "shop", "hello")
    assert event.timestamp == event.observed_timestamp
    assert Event.from_bytes(event.to_bytes()) == event


def test_blank_line_has_an_empty_body(make_origin):
    assert plain_event(make_origin(), b"").body == ""


def test_bytes_that_are_not_utf8_are_kept(make_origin):
    event = plain_event(make_origin(), b"caf\xe9 \x00")
    assert event.body == "caf\ufffd \x00"
    assert b64decode(event.attributes["log.record.original_base64"]) == b"caf\xe9 \x00"


def test_replacement_character_that_was_written_is_no_damage(make_origin):
    event = plain_event(make_origin(), "a\ufffdb".encode())
    assert "log.record.original_base64" not in event.attributes


def test_bytes_that_are_not_utf8_are_kept_when_the_body_does_not_show_them(make_origin):
    event = make_event(make_origin(), b"\xff", "GET / 200")
    assert b64decode(event.attributes["log.record.original_base64"]) == b"\xff"


def test_unparsable_timestamp_is_kept(make_origin):
    event = make_event(make_origin(), b"x", "x", timestamp="yesterday")
    assert event.attributes["timestamp.unparsed"] == "yesterday"
    assert event.timestamp == event.observed_timestamp


@pytest.mark.parametrize("text", ["1970-01-01T00:00:00Z", "2099-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_time_of_a_wrong_clock_is_kept_for_the_decoder_to_judge(make_origin, text):
    event = make_event(make_origin(), b"x", "x", timestamp=text)
    assert event.timestamp == datetime.fromisoformat(text)
    assert f'"timestamp":"{text[:-1]}.000000Z"'.encode() in event.to_bytes()


def test_absent_values_make_no_attribute(make_origin):
    event = make_event(make_origin(), b"x", "x", attributes={"a": None, "b": "", "c": "-", "d": 0, "e": False})
    assert {name: event.attributes.get(name) for name in "abcde"} == dict.fromkeys("abc") | {"d": "0", "e": "false"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05+02:00", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
        ("2026-01-02 03:04:05,123", datetime(2026, 1, 2, 3, 4, 5, 123000, tzinfo=UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1767323045.25, datetime(2026, 1, 2, 3, 4, 5, 250000, tzinfo=UTC)),
    ],
)
def test_times(value, expected):
    assert parse_time(value) == expected


NO_TIMES = {
    "words": "yesterday",
    "empty": "",
    "impossible date": "2026-02-30T00:00:00Z",
    "before the first year in UTC": "0001-01-01T00:00:00+14:00",
    "after the last year in UTC": "9999-12-31T23:59:59-14:00",
    "milliseconds as seconds": 1767323045250,
    "infinite": float("inf"),
    "not a number": float("nan"),
    "huge": 10**30,
    "bool": True,
    "none": None,
    "list": [2026],
}


@pytest.mark.parametrize("value", NO_TIMES.values(), ids=NO_TIMES)
def test_no_times(value):
    assert parse_time(value) is None


@pytest.mark.parametrize("value", [True, None, "x", "", float("inf"), "nan", "1e999", 10**400, [1], "1\x00"])
def test_no_numbers(value):
    assert as_number(value) is None


def test_numbers():
    assert [as_number(value) for value in (1, "0.25", -2.5)] == [1.0, 0.25, -2.5]


def test_text_of_what_is_no_text_is_json_with_sorted_keys():
    assert as_text({"b": 1, "a": [None, True]}) == '{"a":[null,true],"b":1}'


def test_severities():
    levels = ["WARNING", " Error ", "crit", "notice", "emerg", "loud", 30, None]
    expected = ["WARN", "ERROR", "FATAL", "INFO", "FATAL", "UNSPECIFIED", "UNSPECIFIED", "UNSPECIFIED"]
    assert [severity_of(level) for level in levels] == [Severity(name) for name in expected]


def test_trace_ids():
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert trace_of({"trace_id": "abc", "traceparent": parent}) == "abc"
    assert trace_of({"traceparent": parent}) == "0af7651916cd43dd8448eb211c80319c"
    assert trace_of({"traceparent": "nonsense"}) == trace_of({"traceparent": 7}) == trace_of({}) == ""
