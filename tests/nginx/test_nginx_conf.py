"""The template as nginx itself reads it, and the access log line it writes."""

import json
import os
import shutil
import socket
import subprocess
import threading
from datetime import datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from time import monotonic

import pytest

TEMPLATE = Path(__file__).resolve().parents[2] / "nginx" / "nginx.conf"
PLACEHOLDERS = {"user_directive", "run", "watched", "nginx_port", "storefront_port"}
FIELDS = {
    "timestamp",
    "msec",
    "remote_addr",
    "method",
    "uri",
    "status",
    "bytes_sent",
    "request_time",
    "upstream_addr",
    "upstream_status",
    "upstream_response_time",
    "request_id",
    "traceparent",
    "user_agent",
    "referer",
    "host",
}
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
DEADLINE_SECONDS = 10.0

needs_nginx = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")


class Storefront(BaseHTTPRequestHandler):
    """Answers with the headers it was sent."""

    def do_GET(self):
        body = json.dumps({key.lower(): value for key, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def render(folder, nginx_port, storefront_port):
    """Write the configuration below `folder` and return its path."""
    for name in ("run", "watched/nginx"):
        (folder / name).mkdir(parents=True)
    text = Template(TEMPLATE.read_text()).substitute(
        user_directive="user root;" if os.geteuid() == 0 else "",
        run=folder / "run",
        watched=folder / "watched",
        nginx_port=nginx_port,
        storefront_port=storefront_port,
    )
    path = folder / "run" / "nginx.conf"
    path.write_text(text)
    return path


def poll(probe):
    """Return the first true result of `probe`, or its last one when the deadline has passed."""
    deadline = monotonic() + DEADLINE_SECONDS
    while not (result := probe()) and monotonic() < deadline:
        threading.Event().wait(0.02)
    return result


def get(port, path, headers=None):
    """Return status and body, or None while nobody listens."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    except ConnectionError:
        return None
    finally:
        connection.close()


class Edge:
    """A running nginx with its ports and log files."""

    def __init__(self, folder, port, storefront_port):
        self.port, self.storefront_port = port, storefront_port
        self.access, self.error = (folder / "watched" / "nginx" / name for name in ("access.log", "error.log"))

    def lines(self, number):
        """Return the access log once it has `number` lines."""
        poll(lambda: len(self.access.read_text().splitlines()) >= number)
        return [json.loads(line) for line in self.access.read_text().splitlines()]


@pytest.fixture
def edge(tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Storefront)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield from running_nginx(tmp_path, server.server_port)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def edge_without_storefront(tmp_path):
    yield from running_nginx(tmp_path, free_port())


def running_nginx(folder, storefront_port):
    port = free_port()
    configuration = render(folder, port, storefront_port)
    command = ["nginx", "-c", str(configuration), "-p", str(folder / "run")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as nginx:
        try:
            if not poll(lambda: get(port, "/nginx_status")):
                nginx.kill()
                raise AssertionError(f"nginx did not come up: {nginx.communicate()[1]}")
            yield Edge(folder, port, storefront_port)
        finally:
            nginx.terminate()


def test_template_has_these_placeholders_only():
    assert set(Template(TEMPLATE.read_text()).get_identifiers()) == PLACEHOLDERS
    assert Template(TEMPLATE.read_text()).is_valid()


@needs_nginx
def test_nginx_accepts_the_configuration(tmp_path):
    configuration = render(tmp_path, free_port(), free_port())
    command = ["nginx", "-t", "-c", str(configuration), "-p", str(tmp_path / "run")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "[warn]" not in result.stderr


@needs_nginx
def test_access_line_is_json_with_every_field(edge):
    headers = {"User-Agent": 'quote " and \\', "X-Request-ID": "request-1", "traceparent": TRACEPARENT}
    status, body = get(edge.port, "/search?q=a%20b", headers)
    [line] = edge.lines(1)
    sent_on = json.loads(body)
    assert (status, set(line)) == (200, FIELDS)
    assert (sent_on["x-request-id"], sent_on["traceparent"]) == ("request-1", TRACEPARENT)
    assert (line["request_id"], line["traceparent"]) == ("request-1", TRACEPARENT)
    assert (line["method"], line["uri"], line["status"]) == ("GET", "/search?q=a%20b", 200)
    assert (line["upstream_addr"], line["upstream_status"]) == (f"127.0.0.1:{edge.storefront_port}", "200")
    assert (line["user_agent"], line["referer"]) == ('quote " and \\', "")
    assert datetime.fromisoformat(line["timestamp"]).timestamp() == pytest.approx(line["msec"], abs=0.0005)
    assert isinstance(line["request_time"], float)


@needs_nginx
def test_missing_and_unusable_ids_are_made_at_the_edge(edge):
    get(edge.port, "/", {"X-Request-ID": "a b", "traceparent": "nonsense"})
    _, body = get(edge.port, "/")
    for line in edge.lines(2):
        assert len(line["request_id"]) == 32
        assert line["traceparent"] == f"00-{line['request_id']}-{line['request_id'][:16]}-01"
    assert json.loads(body)["traceparent"] == edge.lines(2)[1]["traceparent"]


@needs_nginx
def test_status_page_is_not_logged(edge):
    status, body = get(edge.port, "/nginx_status")
    assert (status, b"Active connections" in body) == (200, True)
    assert edge.access.read_text() == ""


@needs_nginx
def test_storefront_that_is_down_shows_in_both_logs(edge_without_storefront):
    status, _ = get(edge_without_storefront.port, "/products/1")
    [line] = edge_without_storefront.lines(1)
    assert (status, line["status"], line["upstream_status"]) == (502, 502, "502")
    error = edge_without_storefront.error.read_text()
    assert "connect() failed (111: Connection refused) while connecting to upstream" in error


@needs_nginx
def test_malformed_request_is_one_json_line(edge):
    with socket.create_connection(("127.0.0.1", edge.port)) as connection:
        connection.sendall(b"\x16\x03\x01 \x00\xff\r\n\r\n")
        poll(lambda: connection.recv(4096))
    [line] = edge.lines(1)
    assert (line["status"], line["uri"], line["upstream_addr"]) == (400, "", "")
