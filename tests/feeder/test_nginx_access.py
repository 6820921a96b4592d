from base64 import b64decode
from datetime import datetime
from time import process_time

import msgspec
import pytest

from faultline.records import Severity
from feeder.nginx_access import parse_combined, parse_json

GOOD = {
    "timestamp": "2026-01-02T03:04:05+00:00",
    "msec": 1767323045.25,
    "remote_addr": "10.0.0.7",
    "method": "GET",
    "uri": "/orders?page=2",
    "status": 200,
    "bytes_sent": 512,
    "request_time": 0.042,
    "upstream_addr": "127.0.0.1:8101",
    "upstream_status": "200",
    "upstream_response_time": "0.041",
    "request_id": "r1",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "user_agent": "curl/8",
    "referer": "",
    "host": "shop.test",
}
COMBINED = b'10.0.0.7 - anna [02/Jan/2026:03:04:05 +0100] "GET /a?b=1 HTTP/1.1" 404 153 "http://x.test/" "curl/8 (x)"'


@pytest.fixture
def read_json(make_origin):
    def read(line=None, **changes):
        fields = {name: value for name, value in (GOOD | changes).items() if value is not None}
        return parse_json(make_origin("nginx_access"), msgspec.json.encode(fields) if line is None else line)

    return read


@pytest.fixture
def read_combined(make_origin):
    return lambda line: parse_combined(make_origin("nginx_access"), line)


def test_json_line(read_json):
    event = read_json()
    assert event.body == "GET /orders?page=2 200"
    assert event.severity is Severity.INFO
    assert event.timestamp == datetime.fromisoformat("2026-01-02T03:04:05.25+00:00")
    assert event.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert event.measures == {
        "http.response.size_bytes": 512.0,
        "http.server.request.duration_seconds": 0.042,
        "upstream.response.duration_seconds": 0.041,
    }
    assert event.attributes == {
        "client.address": "10.0.0.7",
        "http.request.method": "GET",
        "http.response.status_code": "200",
        "request_id": "r1",
        "server.address": "shop.test",
        "upstream.address": "127.0.0.1:8101",
        "upstream.status_code": "200",
        "url.path": "/orders",
        "url.query": "page=2",
        "user_agent.original": "curl/8",
        "log.file.path": "/var/log/x.log",
        "log.file.offset": "42",
    }


@pytest.mark.parametrize(("status", "severity"), [(301, "INFO"), (404, "WARN"), (499, "WARN"), (502, "ERROR")])
def test_severity_follows_the_status(read_json, status, severity):
    assert read_json(status=status).severity.value == severity


@pytest.mark.parametrize("times", ["0.001, 0.250", "0.001 : 0.250", "-, 0.250", "0.250"])
def test_of_several_upstreams_the_last_one_answered(read_json, times):
    event = read_json(upstream_response_time=times, upstream_addr="10.0.0.1:1, 10.0.0.2:1", upstream_status="502, 200")
    assert event.measures["upstream.response.duration_seconds"] == 0.25
    assert event.attributes["upstream.address"] == "10.0.0.1:1, 10.0.0.2:1"


@pytest.mark.parametrize("times", ["-", "", "0.001, -", None])
def test_upstream_that_did_not_answer_has_no_duration(read_json, times):
    assert "upstream.response.duration_seconds" not in read_json(upstream_response_time=times).measures


BAD_JSON = {
    "not json": (b"GET / 200", "JSON is malformed"),
    "blank": (b"", "Input data was truncated"),
    "no method": (b'{"uri": "/"}', "no 'method' or no 'uri'"),
    "no uri": (b'{"method": "GET"}', "no 'method' or no 'uri'"),
    "empty method": (b'{"method": "", "uri": "/"}', "no 'method' or no 'uri'"),
    "list": (b"[]", "Expected `object`"),
}


@pytest.mark.parametrize(("line", "error"), BAD_JSON.values(), ids=BAD_JSON)
def test_bad_json_line_is_its_own_body(read_json, line, error):
    event = read_json(line)
    assert event.body == line.decode()
    assert error in event.attributes["parse.error"]


def test_wrong_types_do_not_hide_the_request(read_json):
    event = read_json(status={"a": 1}, bytes_sent="many", request_time=[1], uri=7, user_agent=None)
    assert event.body == "GET 7 {'a': 1}"
    assert event.measures == {"upstream.response.duration_seconds": 0.041}


@pytest.mark.parametrize(("msec", "year"), [(0, 1970), ("0.000", 1970), (4_090_000_000, 2099)])
def test_time_of_a_wrong_clock_is_kept(read_json, msec, year):
    assert read_json(msec=msec).timestamp.year == year


def test_time_as_text_when_there_is_no_number(read_json):
    assert read_json(msec=None).timestamp == read_json(msec="").timestamp == datetime.fromisoformat(GOOD["timestamp"])


@pytest.mark.parametrize("changes", [{"msec": "soon", "timestamp": None}, {"msec": None, "timestamp": "soon"}])
def test_unparsable_time_is_kept(read_json, changes):
    event = read_json(**changes)
    assert event.attributes["timestamp.unparsed"] == "soon"
    assert event.timestamp == event.observed_timestamp


def test_invalid_utf8_in_the_user_agent_does_not_hide_the_status(read_json):
    line = b'{"method": "GET", "uri": "/", "status": 500, "user_agent": "\xff\xfe"}'
    event = read_json(line)
    assert (event.body, event.severity) == ("GET / 500", Severity.ERROR)
    assert b64decode(event.attributes["log.record.original_base64"]) == line


def test_combined_line(read_combined):
    event = read_combined(COMBINED)
    assert event.body == "GET /a?b=1 404"
    assert event.severity is Severity.WARN
    assert event.timestamp == datetime.fromisoformat("2026-01-02T02:04:05+00:00")
    assert event.measures == {"http.response.size_bytes": 153.0}
    assert event.attributes == {
        "client.address": "10.0.0.7",
        "user.name": "anna",
        "http.request.method": "GET",
        "http.response.status_code": "404",
        "http.request.header.referer": "http://x.test/",
        "network.protocol.version": "1.1",
        "user_agent.original": "curl/8 (x)",
        "url.path": "/a",
        "url.query": "b=1",
        "log.file.path": "/var/log/x.log",
        "log.file.offset": "42",
    }


LENIENT = {
    "common format": (b'::1 - - [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1" 200 5', "GET / 200", None),
    "quotes in the agent": (
        b'h - - [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1" 200 5 "-" "a \\"b\\" c"',
        "GET / 200",
        'a \\"b\\" c',
    ),
    "cut agent": (b'h - - [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1" 200 5 "-" "Mozi', "GET / 200", None),
    "forwarded-for behind the agent": (
        b'h - - [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1" 200 5 "-" "x" "10.1.1.1"',
        "GET / 200",
        "x",
    ),
    "space in the path": (b'h - - [02/Jan/2026:03:04:05 +0000] "GET /a b HTTP/1.1" 400 5 "-" "x"', "GET /a b 400", "x"),
    "no request": (b'h - - [02/Jan/2026:03:04:05 +0000] "" 408 0 "-" "-"', "- - 408", None),
    "no protocol": (b'h - - [02/Jan/2026:03:04:05 +0000] "GET /old" 200 5 "-" "x"', "GET /old 200", "x"),
    "TLS bytes as request": (
        b'h - - [02/Jan/2026:03:04:05 +0000] "\\x16\\x03\\x01" 400 5 "-" "-"',
        "\\x16\\x03\\x01 - 400",
        None,
    ),
    "no size": (b'h - - [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1" 304 - "-" "x"', "GET / 304", "x"),
    "user with spaces": (b'h - anna b [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1" 200 5 "-" "x"', "GET / 200", "x"),
}


@pytest.mark.parametrize(("line", "body", "agent"), LENIENT.values(), ids=LENIENT)
def test_combined_lines_of_the_wild(read_combined, line, body, agent):
    event = read_combined(line)
    assert "parse.error" not in event.attributes
    assert (event.body, event.attributes.get("user_agent.original")) == (body, agent)


def test_combined_fields_behind_the_agent_are_kept(read_combined):
    event = read_combined(COMBINED + b' "10.1.1.1" 0.042')
    assert event.attributes["nginx.rest_of_line"] == '"10.1.1.1" 0.042'


def test_json_fields_without_a_name_of_ours_are_kept(read_json):
    event = read_json(geo="DE", upstream_response_time="0.001, 0.250")
    assert (event.attributes["geo"], event.attributes["upstream.response.durations"]) == ("DE", "0.001, 0.250")


BAD_COMBINED = {
    "blank": b"",
    "json": b'{"method": "GET"}',
    "no time": b'h - - "GET / HTTP/1.1" 200 5',
    "status of two digits": b'h - - [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1" 20 5',
    "cut request": b'h - - [02/Jan/2026:03:04:05 +0000] "GET /',
    "null bytes": b"\x00" * 20,
    "application line": b"2026-01-02 03:04:05 INFO started",
}


@pytest.mark.parametrize("line", BAD_COMBINED.values(), ids=BAD_COMBINED)
def test_line_that_is_not_combined_is_its_own_body(read_combined, line):
    event = read_combined(line)
    assert event.body == line.decode()
    assert event.attributes["parse.error"] == "not in nginx's combined format"


def test_combined_time_that_is_none_is_kept(read_combined):
    event = read_combined(b'h - - [32/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1" 200 5')
    assert event.attributes["timestamp.unparsed"] == "32/Jan/2026:03:04:05 +0000"


def test_combined_bytes_that_are_not_utf8_are_kept(read_combined):
    line = b'h - - [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1" 200 5 "-" "\xff"'
    event = read_combined(line)
    assert event.attributes["user_agent.original"] == "\ufffd"
    assert b64decode(event.attributes["log.record.original_base64"]) == line


@pytest.mark.parametrize("part", [b" [", b" [a", b'" "', b"\\", b' [a] "', b"- "])
def test_hostile_line_costs_time_in_proportion_to_its_length(read_combined, part):
    begin = process_time()
    read_combined(b"h - - " + part * 80_000)
    assert process_time() - begin < 2
