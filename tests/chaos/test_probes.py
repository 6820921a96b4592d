from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count

import pytest

from chaos import probes

Answer = tuple[int, str]
Site = Callable[[str, str], Answer]
Serve = Callable[[str, Site], None]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Answer on the port of a program as the given function says; probes look for a blink of an eye only."""
    monkeypatch.setattr(probes, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(probes, "PAUSE_SECONDS", 0.01)
    with ExitStack() as stack:

        def start(program: str, site: Site) -> None:
            server = stack.enter_context(HTTPServer(("127.0.0.1", 0), handler_of(site)))
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            monkeypatch.setenv(f"FAULTLINE_PORT_{program.upper()}", str(server.server_port))

        yield start


def handler_of(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, text = site(self.command, self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


def shop(**statuses: int) -> Site:
    """A shop that answers as it should, but for the pages named: home, product, cart, checkout."""

    def answer(method: str, path: str) -> Answer:
        page = {"/": "home", "/cart/items": "cart", "/checkout": "checkout"}.get(path, "product")
        usual = 201 if method == "POST" else 200
        return statuses.get(page, usual), json.dumps({"offers": [{"id": 1}, {"id": 2}]})

    return answer


@pytest.mark.parametrize("status", [201, 402, 409])
def test_a_shop_that_sells(serve: Serve, status: int) -> None:
    serve("nginx", shop(checkout=status))
    assert probes.shop_sells()


@pytest.mark.parametrize("page", ["home", "product", "cart", "checkout"])
def test_a_shop_that_fails(serve: Serve, page: str) -> None:
    serve("nginx", shop(**{page: 503}))
    assert not probes.shop_sells()


def test_a_shop_that_answers_nonsense(serve: Serve) -> None:
    serve("nginx", lambda method, path: (200, "<html>"))
    assert not probes.shop_sells()


def test_a_shop_without_offers(serve: Serve) -> None:
    serve("nginx", lambda method, path: (200, '{"offers": []}'))
    assert not probes.shop_sells()


def test_one_failure_is_forgiven(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "LOOK_SECONDS", 30.0)
    homes = iter([503, 200])
    serve("nginx", lambda method, path: shop(home=next(homes) if path == "/" else 200)(method, path))
    assert probes.shop_sells()


def test_nobody_listens(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULTLINE_PORT_OFFSET", "40000")
    assert not probes.shop_sells()
    assert not probes.service_answers("payments")
    assert not probes.stream_is_scoring()
    assert not probes.all_targets_scraped()


def test_a_service(serve: Serve) -> None:
    serve("payments", lambda method, path: (200, "") if path == "/health" else (404, ""))
    serve("inventory", lambda method, path: (503, ""))
    assert probes.service_answers("payments")
    assert not probes.service_answers("inventory")
    assert not probes.service_answers("cellar")


def page(batches: int, lag: int) -> str:
    lags = [f'faultline_consumer_lag_records{{partition="{number}"}} {lag}' for number in (0, 1)]
    batch_lines = ["# TYPE faultline_batches counter", f"faultline_batches_total {batches}"]
    return "\n".join([*batch_lines, "# TYPE faultline_consumer_lag_records gauge", *lags, ""])


def test_a_stream_that_goes_on(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "LOOK_SECONDS", 30.0)
    numbers = count()
    serve("stream", lambda method, path: (200, page(next(numbers), 10)))
    assert probes.stream_is_scoring()


def test_a_stream_that_stands_still(serve: Serve) -> None:
    serve("stream", lambda method, path: (200, page(7, 10)))
    assert not probes.stream_is_scoring()


def test_a_stream_that_is_behind(serve: Serve) -> None:
    numbers = count()
    serve("stream", lambda method, path: (200, page(next(numbers), probes.LAG_RECORDS)))
    assert not probes.stream_is_scoring()


@pytest.mark.parametrize(("values", "expected"), [(["1", "1"], True), (["1", "0"], False), ([], False)])
def test_targets(serve: Serve, values: list[str], expected: bool) -> None:
    result = [{"value": [0, value]} for value in values]
    serve("prometheus", lambda method, path: (200, json.dumps({"data": {"result": result}})))
    assert probes.all_targets_scraped() is expected
