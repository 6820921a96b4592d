"""Send a service bodies that never end: `python -m chaos.actions.leaker SERVICE MIB_PER_SECOND`."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from time import monotonic, sleep
from typing import Final

from faultline.config import Environ, Ports

PATHS: Final = {
    "storefront": "/cart/items",
    "orders": "/orders",
    "payments": "/charges",
    "inventory": "/reservations",
}
CHUNK_BYTES: Final = 64 * 1024
CONNECTIONS: Final = 16
REFILL: Final = 8  # times faster once the limit was met: what is dropped there is soon held again
_CHUNK: Final = f"{CHUNK_BYTES:x}\r\n".encode() + b" " * CHUNK_BYTES + b"\r\n"


def main(environ: Environ, service: str, mib_per_second: float) -> None:
    """Send until ended; a connection that breaks is replaced at its next turn.

    The first that breaks tells that the service has met its limit; from then on it is kept there.
    """
    port = int(getattr(Ports.from_env(environ), service))
    gap = CHUNK_BYTES / (mib_per_second * 1024 * 1024)
    connections: list[socket.socket | None] = [None] * CONNECTIONS
    turn, due, met = 0, monotonic(), False
    while True:
        connections[turn] = send_more(connections[turn], port, PATHS[service])
        if connections[turn] is None and not met:
            met, gap = True, gap / REFILL
        turn, due = (turn + 1) % CONNECTIONS, max(due + gap, monotonic() - gap)
        sleep(max(0.0, due - monotonic()))


def send_more(connection: socket.socket | None, port: int, path: str) -> socket.socket | None:
    """Send one more piece of a body, over a new connection if need be; None when the connection broke."""
    try:
        connection = connection or _open(port, path)
        connection.sendall(_CHUNK)
    except OSError:
        if connection is not None:
            with suppress(OSError):
                connection.close()
        return None
    return connection


def _open(port: int, path: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=1.0)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
    return connection


if __name__ == "__main__":
    main(os.environ, sys.argv[1], float(sys.argv[2]))
