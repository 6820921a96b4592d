from base64 import b64decode
from datetime import datetime

import pytest

from faultline.records import Severity
from feeder.nginx_error import parse

GOOD = (
    b"2026/01/02 03:04:05 [error] 7#8: *9 connect() failed (111: Connection refused) while connecting to upstream,"
    b' client: 10.0.0.7, request: "GET / HTTP/1.1"'
)


def test_line(make_origin):
    event = parse(make_origin("nginx_error"), GOOD)
    assert event.body == GOOD.decode().partition("*9 ")[2]
    assert event.severity is Severity.ERROR
    assert event.timestamp == datetime(2026, 1, 2, 3, 4, 5).astimezone()
    place = {"log.file.path": "/var/log/x.log", "log.file.offset": "42"}
    assert event.attributes == {"process.pid": "7", "thread.id": "8", "nginx.connection": "9"} | place


def test_line_without_connection(make_origin):
    event = parse(make_origin("nginx_error"), b"2026/01/02 03:04:05 [notice] 1#1: signal process started")
    assert (event.body, event.severity) == ("signal process started", Severity.INFO)
    assert "nginx.connection" not in event.attributes


@pytest.mark.parametrize(
    ("level", "severity"),
    [("emerg", "FATAL"), ("alert", "FATAL"), ("crit", "FATAL"), ("warn", "WARN"), ("info", "INFO")],
)
def test_levels(make_origin, level, severity):
    line = f"2026/01/02 03:04:05 [{level}] 1#1: x".encode()
    assert parse(make_origin("nginx_error"), line).severity.value == severity


BAD = {
    "blank": b"",
    "an access line": b'10.0.0.7 - - [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1" 200 5',
    "continued message": b"    at line 2",
    "no level": b"2026/01/02 03:04:05 7#8: x",
    "no process": b"2026/01/02 03:04:05 [error] x",
    "other time": b"2026-01-02T03:04:05 [error] 7#8: x",
    "cut": b"2026/01/02 03:04",
    "before the log is open": b"nginx: [emerg] bind() to 0.0.0.0:80 failed",
}


@pytest.mark.parametrize("line", BAD.values(), ids=BAD)
def test_line_of_another_format_is_its_own_body(make_origin, line):
    event = parse(make_origin("nginx_error"), line)
    assert event.body == line.decode()
    assert event.attributes["parse.error"] == "not in nginx's error format"


def test_impossible_time_is_kept(make_origin):
    event = parse(make_origin("nginx_error"), b"2026/13/02 03:04:05 [error] 7#8: x")
    assert event.attributes["timestamp.unparsed"] == "2026/13/02 03:04:05"
    assert event.timestamp == event.observed_timestamp


@pytest.mark.parametrize("year", [1970, 2099])
def test_time_of_a_wrong_clock_is_kept(make_origin, year):
    line = f"{year}/06/02 03:04:05 [error] 7#8: x".encode()
    assert parse(make_origin("nginx_error"), line).timestamp.year == year


def test_bytes_that_are_not_utf8_and_null_bytes_are_kept(make_origin):
    line = b"2026/01/02 03:04:05 [error] 7#8: bad \xff \x00 \r header"
    event = parse(make_origin("nginx_error"), line)
    assert event.body == "bad \ufffd \x00 \r header"
    assert b64decode(event.attributes["log.record.original_base64"]) == line
