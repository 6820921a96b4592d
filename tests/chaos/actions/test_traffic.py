from __future__ import annotations

import json
import os
import random
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import psutil
import pytest
from pydantic import ValidationError

from chaos.actions import exporter, leaker, scrambler, traffic
from chaos.errors import TargetUnreachable
from chaos.undo import UndoLedger
from demo.storefront import CartItem, CheckoutRequest

StartTarget = Callable[[str], psutil.Process]
MODELS = {scrambler.ADD: CartItem, scrambler.PAY: CheckoutRequest}


@pytest.fixture
def started(home: Path, target: StartTarget, monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, str], str]]:
    """What the actions would have started: settings, and the command in one line."""
    target("print('ready', flush=True); input()")
    monkeypatch.setenv("FAULTLINE_PORT_NGINX", "8099")
    calls: list[tuple[dict[str, str], str]] = []

    def start(environ: dict[str, str], argv: Sequence[str], log_name: str) -> None:
        settings = {key: value for key, value in environ.items() if key.startswith("FAULTLINE_TRAFFIC")}
        calls.append((settings, " ".join(argv[1:])))

    monkeypatch.setattr("chaos.actions.background.start", start)
    return calls


def test_a_surge(started: list[tuple[dict[str, str], str]]) -> None:
    traffic.surge(300, 150)
    settings, command = started[0]
    assert settings == {"FAULTLINE_TRAFFIC_RPS": "300"}
    assert command.startswith("-m locust -f ")
    assert command.endswith("demo/traffic.py --headless --only-summary -u 150 -r 150 --host http://127.0.0.1:8099")


def test_a_day(started: list[tuple[dict[str, str], str]]) -> None:
    traffic.daily_curve(16, 40)
    settings, command = started[0]
    assert settings == {"FAULTLINE_TRAFFIC_RPS": "16", "FAULTLINE_TRAFFIC_WAVE_SECONDS": "40"}
    assert "--run-time 40 " in command


def test_clients(started: list[tuple[dict[str, str], str]]) -> None:
    traffic.corrupt_payloads(6)
    traffic.cron_burst(20, 8)
    assert [command for _, command in started] == [
        "-m chaos.actions.scrambler http://127.0.0.1:8099 6",
        "-m chaos.actions.exporter http://127.0.0.1:8099 20 8",
    ]


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        (traffic.surge, (1, 1)),
        (traffic.daily_curve, (1, 1)),
        (traffic.corrupt_payloads, (1,)),
        (traffic.cron_burst, (1, 1)),
    ],
)
def test_without_nginx_nothing_is_sent(home: Path, action: Callable[..., None], arguments: tuple[int, ...]) -> None:
    with pytest.raises(TargetUnreachable, match="nginx is unknown to supervisord, expected running; nothing was inj"):
        action(*arguments)
    assert UndoLedger.from_env(os.environ).undo_all() == []


def split(content: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, body = content.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return first.split()[1], dict(line.split(": ", 1) for line in lines), body


def is_understood(path: str, body: bytes) -> bool:
    try:
        MODELS[path].model_validate(json.loads(body))
    except (ValueError, ValidationError):
        return False
    return True


def test_the_shop_understands_none_of_it() -> None:
    rng = random.Random(1)
    sent = [split(scrambler.request(rng)) for _ in range(1000)]
    assert [body for path, _, body in sent if is_understood(path, body)] == []
    assert {path for path, _, _ in sent} == set(MODELS)
    cut = [headers for _, headers, body in sent if int(headers["Content-Length"]) != len(body)]
    assert 50 < len(cut) < 200


def test_a_shop_that_does_not_answer_is_no_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    assert scrambler.send(address, b"GET / HTTP/1.1\r\n\r\n") == b""


def test_every_page_is_exported_once() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path.decode())
        pages = {"1": [{"id": 1}, {"id": 2}], "2": [{"id": 3}]}
        return httpx.Response(200, json=pages.get(request.url.params.get("page", ""), []))

    with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://shop") as client:
        assert [response.status_code for response in exporter.export(client)] == [200] * 6
    lists = ["/products?page=1", "/products?page=2", "/products?page=3"]
    assert asked == [lists[0], "/products/1", "/products/2", lists[1], "/products/3", lists[2]]


def test_a_body_that_never_ends_goes_on_over_a_new_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        connection = leaker.send_more(None, port, "/orders")
        assert connection is not None
        with listener.accept()[0] as peer:
            assert peer.recv(1000).startswith(
                b"POST /orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json"
            )
        connection.close()
        assert leaker.send_more(connection, port, "/orders") is None
    assert leaker.send_more(None, port, "/orders") is None
