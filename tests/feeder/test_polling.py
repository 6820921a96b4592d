"""A real server on loopback; each path is one way to answer."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic, sleep

import pytest

from faultline.records import Severity, SourceType
from feeder import polling
from feeder.polling import Pollers, make_client, poll_once
from feeder.sources import PolledSource

ANSWERS = {
    "/ok": (200, b'{"status": "ok"}'),
    "/degraded": (503, b'{"status": "degraded", "checks": {"db": "down"}}'),
    "/text": (200, b"hello"),
    "/metrics": (200, b"up 1\n"),
    "/moved": (301, b""),
    "/large": (200, b"x" * 2000),
}


class Answering(BaseHTTPRequestHandler):
    """Answers from ANSWERS; /hang sends nothing, /drip a byte now and then, /cut less than it promised."""

    def do_GET(self) -> None:
        server: Server = self.server
        if self.path == "/hang":
            server.closing.wait(10)
        elif self.path == "/drip":
            self._begin(200, 100)
            while not server.closing.wait(0.05):
                self.wfile.write(b" ")
        elif self.path == "/cut":
            self._begin(200, 100)
        else:
            status, body = ANSWERS[self.path]
            self._begin(status, len(body))
            self.wfile.write(body)

    def _begin(self, status: int, length: int) -> None:
        self.send_response(status)
        self.send_header("content-length", str(length))
        self.send_header("location", "/ok")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.closing = threading.Event()

    def handle_error(self, request, client_address) -> None:
        """A client that gave up is what the tests are about."""


@pytest.fixture(scope="module")
def base():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.closing.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def poll(base):
    failed = []

    def poll(path, kind=SourceType.FASTAPI_STATUS, url=None):
        source = PolledSource(kind, url or f"{base}{path}", "shop", 5.0)
        with make_client() as client:
            return poll_once(source, "h1", client, failed=failed.append)

    poll.failed = failed
    return poll


def test_healthy_service(poll, base):
    event = poll("/ok")
    assert (event.body, event.severity, event.source_type) == ("health of shop: ok", Severity.INFO, "fastapi_status")
    assert (event.host_name, event.attributes["url.full"]) == ("h1", f"{base}/ok")
    assert 0 < event.measures["health.duration_seconds"] < 5
    assert poll.failed == []


def test_degraded_service_is_an_answer(poll):
    event = poll("/degraded")
    assert (event.body, event.severity) == ("health of shop: degraded", Severity.ERROR)
    assert event.attributes["health.checks"] == '{"db":"down"}'
    assert poll.failed == []


def test_answer_that_is_no_json(poll):
    event = poll("/text")
    assert (event.body, event.attributes["health.answer"]) == ("health of shop: unreadable", "hello")


def test_redirect_is_not_followed(poll):
    assert poll("/moved").attributes["http.response.status_code"] == "301"


def test_metrics(poll):
    event = poll("/metrics", SourceType.APP_CONTAINER_METRICS)
    assert event.measures["up"] == 1.0
    assert poll("/degraded", SourceType.APP_CONTAINER_METRICS).severity is Severity.ERROR


def test_two_polls_are_two_records(poll):
    assert poll("/ok").event_id != poll("/ok").event_id


def test_service_that_is_down(poll):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: nobody else can get the port
        event = poll("", url=f"http://127.0.0.1:{taken.getsockname()[1]}/health")
    assert event.body.startswith("fastapi_status of shop: unreachable: ConnectError: ")
    assert (event.severity, poll.failed) == (Severity.ERROR, [SourceType.FASTAPI_STATUS])


def test_page_that_is_too_large(poll, monkeypatch):
    monkeypatch.setattr(polling, "MAX_PAGE_BYTES", 1000)
    assert poll("/large").body == "fastapi_status of shop: unreachable: ValueError: page above 1000 bytes"


def test_page_that_ends_early(poll):
    assert "unreachable: RemoteProtocolError: " in poll("/cut").body


@pytest.mark.parametrize("path", ["/hang", "/drip"])
def test_page_that_does_not_end_in_time(poll, monkeypatch, path):
    monkeypatch.setattr(polling, "TIMEOUT_SECONDS", 0.2)
    begin = monotonic()
    event = poll(path)
    assert event.body.startswith("fastapi_status of shop: unreachable: ReadTimeout: ")
    assert monotonic() - begin < 5
    assert poll.failed == [SourceType.FASTAPI_STATUS]


def test_proxy_of_the_environment_is_not_asked(poll, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert poll("/ok").severity is Severity.INFO


def taken_until(pollers: Pollers, urls: set[str]) -> list:
    events, deadline = [], monotonic() + 10
    while {event.attributes["url.full"] for event in events} != urls:
        assert monotonic() < deadline, f"only {events}"
        events += pollers.take()
        sleep(0.01)
    return events


def test_source_that_hangs_delays_no_other(base, monkeypatch):
    monkeypatch.setattr(polling, "TIMEOUT_SECONDS", 1.0)
    sources = [PolledSource(SourceType.FASTAPI_STATUS, f"{base}{path}", "shop", 0.1) for path in ("/hang", "/ok")]
    failed = []
    pollers = Pollers(sources, "h1", failed.append)
    events = taken_until(pollers, {f"{base}/hang", f"{base}/ok"})
    pollers.close()
    assert sum(event.attributes["url.full"].endswith("/ok") for event in events) >= 2
    assert set(failed) == {SourceType.FASTAPI_STATUS}


def test_polling_waits_while_nobody_takes(base, monkeypatch):
    monkeypatch.setattr(polling, "MAX_WAITING", 2)
    pollers = Pollers([PolledSource(SourceType.FASTAPI_STATUS, f"{base}/ok", "shop", 0.01)], "h1")
    taken_until(pollers, {f"{base}/ok"})
    deadline = monotonic() + 10
    while pollers._events.qsize() < 2:
        assert monotonic() < deadline
        sleep(0.01)
    assert len(list(pollers.take())) in (2, 3)
    pollers.close()
    for thread in pollers._threads:
        thread.join(10)
        assert not thread.is_alive()


def test_nothing_to_poll():
    assert list(Pollers([], "h1").take()) == []
