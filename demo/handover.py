"""Hand a port over from one instance of a service to the next, so that no request is lost between the two.

A new instance listens on the same port beside the old one (SO_REUSEPORT) and gets every new connection from then on.
The old one is asked to leave (SIGUSR1): each of its answers ends its connection, so that callers come to the new one,
and when no connection is left it can be stopped.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from contextlib import suppress
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SO_ATTACH_REUSEPORT_CBPF: Final = 51  # asm-generic/socket.h; Python's socket module does not name it
_RETURN_CONSTANT: Final = 0x06  # BPF_RET | BPF_K of linux/filter.h


class Handover:
    """The application, which ends the connection with each answer once it was asked to leave."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._leaving = False

    def leave(self, *_: object) -> None:
        """Begin to leave; a signal handler."""
        self._leaving = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_and_leave(message: Message) -> None:
            if self._leaving and message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        await self._app(scope, receive, send_and_leave)


def steer_to_newest(listener: socket.socket) -> None:
    """Have the kernel give new connections to the second socket of a port, while there is one; before `listen`.

    Sockets of a port are numbered in the order in which they began to listen, and move up when one closes; a number
    that does not exist means the only one left (see SO_ATTACH_REUSEPORT_CBPF in socket(7)). The program belongs to
    the port: who joins later must not bring one.
    """
    instruction = ctypes.create_string_buffer(struct.pack("HBBI", _RETURN_CONSTANT, 0, 0, 1))
    program = struct.pack("HP", 1, ctypes.addressof(instruction))
    # A kernel without it shares the connections out; requests on those that the old one still gets may then be lost.
    with suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, program)
