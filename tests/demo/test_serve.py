"""One service as a process of its own, and Locust against a small server."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from demo.serve import listen, main
from faultline.errors import ConfigError, StackError

REPOSITORY = Path(__file__).resolve().parents[2]
DEADLINE_SECONDS = 30.0


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextmanager
def process(*arguments, **environ):
    """Yield a running Python program; it is killed when the test is over."""
    command = [sys.executable, "-m", *arguments]
    environment = {**os.environ, **environ}
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def wait_for(probe, running):
    """Return the first true result of `probe`; fail when the program ends or the deadline passes."""
    deadline = monotonic() + DEADLINE_SECONDS
    result = None
    while monotonic() < deadline and running.poll() is None:
        result = probe()
        if result:
            return result
        threading.Event().wait(0.05)
    running.kill()
    raise AssertionError(f"last value {result!r}, program said {running.communicate()[0]}")


def get(url):
    try:
        with urlopen(url, timeout=2) as response:
            return response.read()
    except (URLError, ConnectionError):
        return None


def test_service_serves_logs_and_stops(tmp_path):
    port = free_port()
    environ = {"FAULTLINE_HOME": str(tmp_path), "FAULTLINE_PORT_PAYMENTS": str(port)}
    with process("demo.serve", "payments", **environ) as running:
        health = wait_for(lambda: get(f"http://127.0.0.1:{port}/health"), running)
        assert json.loads(health)["status"] == "ok"
        running.send_signal(signal.SIGTERM)
        output, _ = running.communicate(timeout=10)
    assert output == ""
    log = (tmp_path / "watched" / "shop" / "payments.log").read_text().splitlines()
    messages = [json.loads(line)["message"] for line in log]
    assert "payments 1.0.0 is ready" in messages
    assert messages[-2:] == ["Application shutdown complete.", f"Finished server process [{running.pid}]"]


def test_taken_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StackError, match=f"orders cannot listen on 127.0.0.1:{port}: Address already in use; stop"):
            listen("orders", port)


def test_listener_names_its_protocol():
    # asyncio sets TCP_NODELAY only then; without it answers take 40 ms longer.
    with listen("orders", free_port()) as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_surge_setting_that_makes_no_sense_is_named(tmp_path):
    with pytest.raises(ConfigError, match="FAULTLINE_SHOP_SURGE is 'yes', expected 0 or 1"):
        main({"FAULTLINE_HOME": str(tmp_path), "FAULTLINE_SHOP_SURGE": "yes"}, ["orders"])


def test_unknown_service_is_named():
    with pytest.raises(ConfigError, match="SERVICE is 'shipping', expected one of storefront, orders"):
        main({}, ["shipping"])


class Upstream(BaseHTTPRequestHandler):
    """Answers everything and counts it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.moments.append(monotonic())
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(201 if self.command == "POST" else 200)
        body = b'{"order_id": 1}'
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        """Say nothing."""


@contextmanager
def upstream(port):
    server = ThreadingHTTPServer(("127.0.0.1", port), Upstream)
    server.daemon_threads, server.moments = True, []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_traffic_holds_its_rate_outlives_the_shop_and_stops():
    port = free_port()
    options = ["--headless", "--only-summary", "-u", "10", "-r", "10", "--host", f"http://127.0.0.1:{port}"]
    # The shop is down at first: locust has to go on, slowly, until it is there.
    with process("locust", "-f", "demo/traffic.py", *options, FAULTLINE_TRAFFIC_RPS="50") as running:
        with upstream(port) as server:
            wait_for(lambda: len(server.moments) >= 150, running)
            moments = server.moments[50:]
        rate = (len(moments) - 1) / (moments[-1] - moments[0])
        running.send_signal(signal.SIGTERM)
        output, _ = running.communicate(timeout=20)
    assert 35 < rate < 65
    assert running.returncode == 0, output
    assert "Aggregated" in output
