from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from chaos import evidence
from chaos.evidence import SIGNALS, TRACES, highest, out_of_range
from chaos.records import Injection

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
INJECTION = Injection(
    number=3,
    experiment="process_killed",
    kind="process_killed",
    target="payments",
    benign=False,
    repeat=1,
    start=START,
    end=START + timedelta(seconds=30),
)


@contextmanager
def prometheus(values: dict[str, list[str]], status: int = 200) -> Iterator[int]:
    """A server that answers range queries with the values of each query, in one series."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)["query"][0]
            series = [{"metric": {}, "values": [[0, value] for value in values.get(query, [])]}]
            body = json.dumps({"data": {"result": series if query in values else []}}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def at(port: int) -> dict[str, str]:
    return {"FAULTLINE_PORT_PROMETHEUS": str(port)}


def test_the_highest_value_of_each_signal() -> None:
    with prometheus({SIGNALS["error_ratio"]: ["0", "0.4", "NaN"], SIGNALS["p95_seconds"]: ["NaN"]}) as port:
        assert highest(at(port), START, START + timedelta(seconds=9)) == {"error_ratio": 0.4}


def test_a_prometheus_that_fails_is_told_of() -> None:
    with prometheus({}, status=503) as port, pytest.raises(httpx.HTTPStatusError):
        highest(at(port), START, START)


def test_traces_are_what_left_the_range_of_normal_time() -> None:
    normal = {"error_ratio": 0.0, "p95_seconds": 0.2, "host_cpu_ratio": 0.5}
    during = {"error_ratio": 0.3, "p95_seconds": 0.24, "host_cpu_ratio": 0.7, "abnormal_lines_15s": 99.0}
    assert out_of_range(during, normal) == ("error_ratio", "host_cpu_ratio")


def test_what_our_own_detectors_say_is_no_trace() -> None:
    own = {name for name in SIGNALS if name not in TRACES}
    assert own and all(name.startswith(("abnormal_", "stream_", "lines_of_")) for name in own)


def test_without_normal_time_nothing_is_called_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "abnormal_lines", lambda environ, injection: ("payments: ERROR gone",))
    with prometheus({SIGNALS["error_ratio"]: ["1"]}) as port:
        found = evidence.collect(at(port), INJECTION, None)
    assert (found.number, found.during, found.traces) == (3, {"error_ratio": 1.0}, ())
    assert found.lines == ("payments: ERROR gone",)
