import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from faultline.stack.readiness import broker_answers, http_ok, port_open


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 503)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def http_server() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def hang_up(listener: socket.socket) -> None:
    listener.accept()[0].close()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_http_200_is_ready_and_others_say_their_status() -> None:
    with http_server() as port:
        assert http_ok(port, "/health")() is None
        assert http_ok(port, "/")() == f"GET :{port}/: status 503, expected 200"


def test_closed_port_says_nobody_listens() -> None:
    port = closed_port()
    assert http_ok(port, "/")() == f"GET :{port}/: nobody listens yet"
    assert port_open(port)() == broker_answers(port)() == f"port {port}: nobody listens yet"


def test_a_listener_that_is_no_broker_is_not_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert port_open(port)() is None
        assert str(broker_answers(port)()).startswith(f"broker on port {port}: ")


def test_an_answer_that_is_not_http_is_not_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=hang_up, args=(listener,))
        thread.start()
        assert str(http_ok(port, "/")()).startswith(f"GET :{port}/: ")
        thread.join()
