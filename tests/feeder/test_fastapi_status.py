from base64 import b64decode

import pytest

from faultline.records import MAX_RECORD_BYTES, Event, Severity
from feeder.fastapi_status import parse, unreachable


@pytest.fixture
def read(make_origin):
    return lambda status, answer: parse(make_origin("fastapi_status", path="http://h/health"), status, answer, 0.25)


def test_healthy(read):
    event = read(200, b'{"status": "ok", "version": "1.2", "checks": {"db": "ok", "cache": "ok"}}')
    assert (event.body, event.severity) == ("health of shop: ok", Severity.INFO)
    assert event.measures == {"health.duration_seconds": 0.25}
    assert event.attributes["http.response.status_code"] == "200"
    assert event.attributes["url.full"] == "http://h/health"
    assert event.attributes["service.version"] == "1.2"
    assert event.attributes["health.checks"] == '{"cache":"ok","db":"ok"}'


@pytest.mark.parametrize("state", ["ok", "UP", "Healthy", "pass"])
def test_words_for_healthy(read, state):
    assert read(200, f'{{"status": "{state}"}}'.encode()).severity is Severity.INFO


BAD = {
    "degraded": (503, b'{"status": "degraded"}', "degraded"),
    "degraded with status 200": (200, b'{"status": "degraded"}', "degraded"),
    "ok with status 500": (500, b'{"status": "ok"}', "ok"),
    "no status": (200, b"{}", "unknown"),
    "status null": (200, b'{"status": null}', "unknown"),
    "status an object": (200, b'{"status": {"a": 1}}', '{"a":1}'),
    "not json": (502, b"<html>Bad Gateway</html>", "unreadable"),
    "empty": (200, b"", "unreadable"),
    "redirect": (301, b"", "unreadable"),
}


@pytest.mark.parametrize(("status", "answer", "state"), BAD.values(), ids=BAD)
def test_unhealthy(read, status, answer, state):
    event = read(status, answer)
    assert (event.body, event.severity) == (f"health of shop: {state}", Severity.ERROR)


def test_answer_that_is_no_json_is_kept_up_to_a_bound(read):
    event = read(502, b"<html>\xff" + b"x" * 2000)
    assert event.attributes["health.answer"] == "<html>\ufffd" + "x" * 993
    assert b64decode(event.attributes["log.record.original_base64"]) == b"<html>\xff" + b"x" * 993


def test_record_is_bounded_whatever_the_answer(read):
    long = b'"' + b"\\u0000" * 500_000 + b'"'
    for answer in (b'{"status": %b, "version": %b, "checks": [%b]}' % (long, long, long), b"\xff" * 4_000_000):
        value = read(200, answer).to_bytes()
        assert len(value) < MAX_RECORD_BYTES / 10
        Event.from_bytes(value)


def test_no_answer(make_origin):
    event = unreachable(make_origin("fastapi_status", path="http://h/health"), "ConnectError: refused", 0.5)
    assert event.body == "fastapi_status of shop: unreachable: ConnectError: refused"
    assert (event.severity, event.measures) == (Severity.ERROR, {"health.duration_seconds": 0.5})
