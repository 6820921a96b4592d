"""What the proxy's socket may do instead of answering. The real proxy: tests/chaos/actions/test_network.py."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faultline.errors import StackError
from faultline.stack import proxy
from faultline.stack.proxy import SOCKET, ProxyAdmin, ProxyDown

Serve = Callable[[bytes], None]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """A function that answers the next connection with some bytes, or accepts and stays silent for b""."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = os.open(tmp_path, os.O_PATH)
    listener.bind(f"/proc/self/fd/{folder}/{SOCKET}")
    os.close(folder)
    listener.listen()
    threads: list[threading.Thread] = []

    def answer(reply: bytes) -> None:
        connection, _ = listener.accept()
        connection.recv(4096)
        connection.sendall(reply)
        connection.close()

    def start(reply: bytes) -> None:
        threads.append(threading.Thread(target=answer, args=(reply,)))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join()
    listener.close()


def test_nobody_listening_is_told_from_silence(tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProxyDown, match=r"nobody listens on .*none/proxy\.sock; start the stack with FAULTLINE_SHOP_P"):
        ProxyAdmin(tmp_path / "none").check()
    monkeypatch.setattr(proxy, "REPLY_SECONDS", 0.05)
    with pytest.raises(
        StackError, match=r"no answer to 'show info' on .*\(timed out\); see ./run logs proxy"
    ) as caught:
        ProxyAdmin(tmp_path).check()
    assert not isinstance(caught.value, ProxyDown)


def test_a_socket_that_was_left_behind_is_nobody(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        folder = os.open(tmp_path, os.O_PATH)
        listener.bind(f"/proc/self/fd/{folder}/{SOCKET}")
        os.close(folder)
    assert "nobody listens" in str(ProxyAdmin(tmp_path).problem())


def test_another_program_on_the_socket_is_named(tmp_path: Path, serve: Serve) -> None:
    serve(b"hello\n")
    assert ProxyAdmin(tmp_path).problem() == "proxy answered 'hello' to 'show info', expected 'Name: HAProxy...'"


def test_what_the_proxy_refuses_is_an_error(tmp_path: Path, serve: Serve) -> None:
    serve(b"No such frontend.\n\n")
    with pytest.raises(StackError, match=r"^proxy refused 'disable frontend nobody': No such frontend\.$"):
        ProxyAdmin(tmp_path).refuse("nobody")


def test_what_was_so_already_is_none(tmp_path: Path, serve: Serve) -> None:
    serve(b"All sockets are already enabled.\n\n")
    ProxyAdmin(tmp_path).accept("orders-payments")
