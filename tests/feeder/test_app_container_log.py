from base64 import b64decode
from datetime import datetime

import pytest

from faultline.records import Severity
from feeder.app_container_log import parse_json, parse_plain

GOOD = (
    b'{"timestamp": "2026-01-02T03:04:05.5+00:00", "level": "WARNING", "service": "orders", "logger": "shop.orders",'
    b' "message": "stock low", "status": 200, "duration_ms": 12.5, "retry_count": 3, "sku": "A-1",'
    b' "trace_id": "0af7651916cd43dd8448eb211c80319c", "detail": {"b": 1, "a": 2}}'
)


def test_json_line(make_origin):
    event = parse_json(make_origin(), GOOD)
    assert event.body == "stock low"
    assert event.severity is Severity.WARN
    assert event.timestamp == datetime.fromisoformat("2026-01-02T03:04:05.5+00:00")
    assert event.measures == {"duration_ms": 12.5, "retry_count": 3.0}
    assert event.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert event.attributes == {
        "service.name": "orders",
        "code.logger": "shop.orders",
        "http.response.status_code": "200",
        "sku": "A-1",
        "detail": '{"a":2,"b":1}',
        "log.file.path": "/var/log/x.log",
        "log.file.offset": "42",
    }


@pytest.mark.parametrize("name", ["message", "msg", "body", "log", "event"])
def test_message_under_any_of_its_names(make_origin, name):
    assert parse_json(make_origin(), f'{{"{name}": "hello"}}'.encode()).body == "hello"


BAD = {
    "not json": (b"Traceback (most recent call last):", "JSON is malformed"),
    "a list": (b'["message"]', "Expected `object`"),
    "no message": (b'{"level": "INFO"}', "no text under any of message, msg, body, log, event"),
    "message is no text": (b'{"message": {"a": 1}}', "no text under any of message, msg, body, log, event"),
    "message is null": (b'{"message": null}', "no text under any of message, msg, body, log, event"),
    "cut in the middle": (b'{"message": "hel', "Input data was truncated"),
}


@pytest.mark.parametrize(("line", "error"), BAD.values(), ids=BAD)
def test_bad_line_is_its_own_body(make_origin, line, error):
    event = parse_json(make_origin(), line)
    assert event.body == line.decode()
    assert error in event.attributes["parse.error"]
    assert event.severity is Severity.UNSPECIFIED


def test_blank_line_has_an_empty_body(make_origin):
    assert parse_json(make_origin(), b"").body == parse_plain(make_origin(), b"").body == ""


def test_message_with_null_byte(make_origin):
    assert parse_json(make_origin(), b'{"message": "a\\u0000b"}').body == "a\x00b"


def test_invalid_utf8_in_a_field_leaves_the_others_readable(make_origin):
    line = b'{"message": "caf\xe9", "level": "error"}'
    event = parse_json(make_origin(), line)
    assert (event.body, event.severity) == ("caf\ufffd", Severity.ERROR)
    assert b64decode(event.attributes["log.record.original_base64"]) == line


@pytest.mark.parametrize("level", ["LOUD", 30, {"a": 1}, True])
def test_unknown_level_is_kept(make_origin, level):
    line = '{"message": "x", "level": ' + str(level).replace("'", '"').replace("True", "true") + "}"
    if level == "LOUD":
        line = '{"message": "x", "level": "LOUD"}'
    event = parse_json(make_origin(), line.encode())
    assert event.severity is Severity.UNSPECIFIED
    assert event.attributes["level.unparsed"] == {"LOUD": "LOUD", "30": "30", "True": "true"}.get(str(level), '{"a":1}')


@pytest.mark.parametrize("value", ['"soon"', "17673230452500", "[1]", "true"])
def test_unparsable_timestamp_is_kept(make_origin, value):
    event = parse_json(make_origin(), b'{"message": "x", "time": ' + value.encode() + b"}")
    assert event.attributes["timestamp.unparsed"] == value.strip('"')
    assert event.timestamp == event.observed_timestamp


@pytest.mark.parametrize("value", ["0", '"1970-01-01T00:00:00Z"', '"2099-06-01T00:00:00Z"'])
def test_time_of_a_wrong_clock_is_kept(make_origin, value):
    event = parse_json(make_origin(), b'{"message": "x", "ts": ' + value.encode() + b"}")
    assert event.timestamp.year in (1970, 2099)
    assert "timestamp.unparsed" not in event.attributes


def test_measure_that_is_no_number_stays_an_attribute(make_origin):
    line = b'{"message": "x", "duration_ms": "12", "size_bytes": null, "try_count": true, "n_count": [1]}'
    event = parse_json(make_origin(), line)
    assert event.measures == {}
    assert event.attributes["duration_ms"] == "12"
    assert (event.attributes["try_count"], event.attributes["n_count"]) == ("true", "[1]")


def test_traceparent_that_holds_no_trace_is_kept(make_origin):
    event = parse_json(make_origin(), b'{"message": "x", "traceparent": "nonsense"}')
    assert (event.trace_id, event.attributes["traceparent"]) == ("", "nonsense")


def test_plain_line_is_its_own_body(make_origin):
    event = parse_plain(make_origin(), b'  {"not": "looked at"}  ')
    assert event.body == '  {"not": "looked at"}  '
    assert "parse.error" not in event.attributes
