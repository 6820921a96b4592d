"""Alertmanager's answer, from a local server that speaks its API."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest

from faultline.alerts import firing_alerts


@contextmanager
def answering(status: int, content: Any) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(content).encode()
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


def entry(name: str, starts_at: str, **labels: str) -> dict[str, Any]:
    return {"labels": {"alertname": name, **labels}, "annotations": {"summary": f"{name}!"}, "startsAt": starts_at}


def test_first_alert_comes_first() -> None:
    content = [
        entry("Watchdog", "2026-01-01T00:00:05.000Z"),
        entry("LogAnomaly", "2026-01-01T00:00:01.000Z", service_name="orders", side="ml"),
    ]
    with answering(200, content) as port:
        first, second = firing_alerts(port)
    assert (first.name, first.service, first.side, first.summary) == ("LogAnomaly", "orders", "ml", "LogAnomaly!")
    assert (second.name, second.service) == ("Watchdog", "")


def test_an_error_is_raised() -> None:
    with answering(503, []) as port, pytest.raises(httpx.HTTPStatusError, match="503"):
        firing_alerts(port)
