"""Each fault between two services in front of a small server, with the real proxy; and what it does without one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic

import httpx
import pytest

from chaos.actions import network
from chaos.errors import ExperimentError, TargetUnreachable
from chaos.undo import UndoLedger
from faultline.config import Paths, Ports
from faultline.errors import StackError
from faultline.stack.proxy import ProxyAdmin
from faultline.stack.rendering import render, template_values

DEADLINE_SECONDS = 20.0
PORTS = ("storefront_orders", "orders_payments", "orders_inventory", "orders", "payments", "inventory")


class Callee(BaseHTTPRequestHandler):
    """Answers every request and keeps its headers."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.server.seen.append(dict(self.headers))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass
class Wiring:
    """A running proxy with payments and inventory behind it."""

    environ: dict[str, str]
    proxy: subprocess.Popen[bytes]
    seen: list[dict[str, str]] = field(default_factory=list)

    def caller(self, hop: str = "orders_payments", read_seconds: float = 5.0) -> httpx.Client:
        port = getattr(Ports.from_env(self.environ), hop)
        timeout = httpx.Timeout(read_seconds, connect=5.0)
        return httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=timeout, trust_env=False)

    def undo(self) -> list[str]:
        return UndoLedger.from_env(self.environ).undo_all()


def haproxy() -> str:
    """Return the program; skip (fail where CI is set) when it is not installed."""
    program = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        reason = "haproxy is not installed: apt-get install haproxy"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return program


def free_ports() -> dict[str, str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in PORTS]
    ports = {f"FAULTLINE_PORT_{name.upper()}": str(s.getsockname()[1]) for name, s in zip(PORTS, sockets, strict=True)}
    for listener in sockets:
        listener.close()
    return ports


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A home whose path needs quoting and is too long for a socket."""
    values = {"FAULTLINE_HOME": str(tmp_path / f"a home; #1 '$x' {'x' * 80}"), **free_ports()}
    for key, value in values.items():
        monkeypatch.setenv(key, value)
    Paths.from_env(values).run.mkdir(parents=True)
    return values


@pytest.fixture
def wiring(environ: dict[str, str]) -> Iterator[Wiring]:
    run, ports = Paths.from_env(environ).run, Ports.from_env(environ)
    for template in ("haproxy/haproxy.cfg", "haproxy/delay.lua"):
        render(Path(template), run, template_values(environ, user_id=1000))
    servers = [ThreadingHTTPServer(("127.0.0.1", port), Callee) for port in (ports.payments, ports.inventory)]
    command = [haproxy(), "-db", "-f", "haproxy.cfg"]
    with subprocess.Popen(command, cwd=run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as proxy:
        wired = Wiring(environ, proxy)
        threads = [threading.Thread(target=server.serve_forever, args=(0.02,)) for server in servers]
        for server, thread in zip(servers, threads, strict=True):
            server.daemon_threads, server.seen = True, wired.seen  # type: ignore[attr-defined]
            thread.start()
        try:
            wait_until_it_answers(run)
            yield wired
        finally:
            proxy.kill()
            for server, thread in zip(servers, threads, strict=True):
                server.shutdown()
                thread.join()
                server.server_close()


def wait_until_it_answers(run: Path) -> None:
    deadline = monotonic() + DEADLINE_SECONDS
    while problem := ProxyAdmin(run).problem():
        assert monotonic() < deadline, problem
        threading.Event().wait(0.02)


def test_an_idle_proxy_passes_everything_on(wiring: Wiring) -> None:
    with wiring.caller() as caller:
        answers = [caller.get("/x", headers={"Authorization": "Bearer t", "X-Request-ID": "r1"}) for _ in range(2)]
    assert [(answer.status_code, answer.text) for answer in answers] == [(200, "ok")] * 2
    assert {key: wiring.seen[1][key] for key in ("authorization", "x-request-id")} == {
        "authorization": "Bearer t",
        "x-request-id": "r1",
    }
    assert not {"x-forwarded-for", "via"} & set(wiring.seen[1])


def test_a_delay_holds_back_each_request_of_a_connection(wiring: Wiring) -> None:
    network.delay("orders", "payments", milliseconds=120)
    with wiring.caller() as caller:
        elapsed = [caller.get("/x").elapsed.total_seconds() for _ in range(2)]
    assert min(elapsed) > 0.1
    assert wiring.undo() == ["chaos.actions.network.restore(caller='orders', callee='payments')"]


def test_a_delay_that_is_taken_back_ends_for_those_who_wait(wiring: Wiring) -> None:
    network.delay("orders", "payments", network.MAX_MILLISECONDS)
    undo = threading.Timer(0.2, wiring.undo)
    with wiring.caller(read_seconds=network.MAX_MILLISECONDS / 1000 - 1) as caller:
        undo.start()
        assert caller.get("/x").status_code == 200
    undo.join()


def test_a_black_hole_swallows_requests_for_good(wiring: Wiring) -> None:
    network.black_hole("orders", "payments")
    with wiring.caller(read_seconds=0.1) as caller, pytest.raises(httpx.ReadTimeout):
        caller.get("/swallowed")
    wiring.undo()
    with wiring.caller() as caller:
        assert caller.get("/x").status_code == 200
    assert len(wiring.seen) == 1


def test_a_cut_connection_is_accepted_and_never_answered(wiring: Wiring) -> None:
    network.cut("orders", "payments")
    with wiring.caller() as caller:
        for _ in range(2):
            with pytest.raises(httpx.RemoteProtocolError, match="Server disconnected without sending a response"):
                caller.get("/x")
        wiring.undo()
        assert (caller.get("/x").status_code, len(wiring.seen)) == (200, 1)


def test_refused_connections_end_those_that_exist_and_leave_other_pairs_alone(wiring: Wiring) -> None:
    with wiring.caller("orders_inventory") as caller, wiring.caller() as other:
        assert (caller.get("/x").status_code, other.get("/x").status_code) == (200, 200)
        network.refuse("orders", "inventory")
        with pytest.raises(httpx.RemoteProtocolError):
            caller.get("/x")
        with pytest.raises(httpx.ConnectError):
            caller.get("/x")
        assert other.get("/x").status_code == 200
        wiring.undo()
        assert caller.get("/x").status_code == 200


def test_refusing_and_undoing_twice_does_no_harm(wiring: Wiring) -> None:
    for _ in range(2):
        network.refuse("orders", "payments")
    assert len(wiring.undo()) == 2
    with wiring.caller() as caller:
        assert caller.get("/x").status_code == 200


def test_a_callee_that_is_down_is_named(wiring: Wiring) -> None:
    with wiring.caller("storefront_orders") as caller:
        answer = caller.get("/x")
    assert (answer.status_code, answer.json()) == (503, {"error": "no connection to orders"})


def test_how_to_undo_is_noted_before_the_change(wiring: Wiring) -> None:
    def fail(proxy: ProxyAdmin) -> None:
        raise StackError("killed here")

    with pytest.raises(StackError, match="killed here"):
        network.impair(wiring.environ, "orders", "payments", fail)
    assert [undo.function for undo in UndoLedger.from_env(wiring.environ).pending()] == ["restore"]


def test_a_proxy_that_ended_has_nothing_left_to_undo(wiring: Wiring) -> None:
    network.delay("orders", "payments", 100)
    wiring.proxy.kill()
    wiring.proxy.wait()
    assert len(wiring.undo()) == 1


def test_without_a_proxy_nothing_is_injected(environ: dict[str, str]) -> None:
    text = r"^between orders and payments: proxy: nobody listens on .*proxy\.sock; start the stack with FAULTLINE_SHOP_"
    with pytest.raises(TargetUnreachable, match=text):
        network.refuse("orders", "payments")
    assert UndoLedger.from_env(environ).pending() == []


@pytest.mark.parametrize("milliseconds", [0, -1, 10_001])
def test_a_delay_out_of_range_is_refused(environ: dict[str, str], milliseconds: int) -> None:
    with pytest.raises(ExperimentError, match=f"is {milliseconds} ms, expected 1 to 10000; nothing was injected"):
        network.delay("orders", "payments", milliseconds)


def test_services_that_do_not_call_each_other_are_refused(environ: dict[str, str]) -> None:
    text = "^payments does not call orders, expected one of storefront to orders, orders to payments, orders to inv"
    with pytest.raises(ExperimentError, match=text):
        network.black_hole("payments", "orders")
