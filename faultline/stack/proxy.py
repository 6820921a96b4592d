"""The proxy between the shop's services: how it is started, and what can be asked of it while it runs."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

from faultline.config import Environ, Paths, Ports
from faultline.errors import StackError
from faultline.shop import CALLS
from faultline.stack.prerequisites import require_program
from faultline.stack.program import Command, Program

SOCKET: Final = "proxy.sock"  # as in haproxy/haproxy.cfg, in the run folder
REPLY_SECONDS: Final = 2.0


class ProxyDown(StackError):
    """Nobody listens on the proxy's socket: it does not run, and what it had been told is gone with it."""


def proxy_program(environ: Environ, ports: Ports) -> Program:
    """Return the proxy: one frontend for each pair of services of which one calls the other."""
    admin = ProxyAdmin(Paths.from_env(environ).run)
    return Program(
        name="proxy",
        address="",
        # Launch scripts are in the run folder, and so are the files: no path to quote, none too long.
        command=lambda: Command([require_program("haproxy", environ), "-db", "-f", "haproxy.cfg"]),
        probe=admin.problem,
        ports=tuple(int(getattr(ports, f"{caller}_{callee}")) for caller, callee in CALLS),
        tools=("haproxy",),
        templates=(Path("haproxy/haproxy.cfg"), Path("haproxy/delay.lua")),
    )


class ProxyAdmin:
    """The administration socket of the proxy of one run folder; each call is a connection of its own.

    Every method raises ProxyDown when nobody listens, StackError when the proxy is silent or refuses.
    """

    def __init__(self, run: Path) -> None:
        self._run = run

    def problem(self) -> str | None:
        """Return None when the proxy answers, else what is wrong: a readiness probe."""
        try:
            self.check()
        except StackError as error:
            return str(error)
        return None

    def check(self) -> None:
        """Raise unless the proxy answers."""
        answer = self._ask("show info")
        if not answer.startswith("Name: HAProxy"):
            raise StackError(f"proxy answered {answer[:80]!r} to 'show info', expected 'Name: HAProxy...'")

    def set(self, variable: str, value: int) -> None:
        """Set a variable of process scope that haproxy.cfg reads."""
        # Setting one from outside counts as experimental in 2.6: a word in front, no other effect.
        self._tell(f"experimental-mode on; set var proc.{variable} int({value})")

    def refuse(self, frontend: str) -> None:
        """Stop listening on a frontend's port, until `accept`; connections that exist go on."""
        self._tell(f"disable frontend {frontend}", harmless="All sockets are already disabled.")

    def accept(self, frontend: str) -> None:
        """Listen on a frontend's port again."""
        self._tell(f"enable frontend {frontend}", harmless="All sockets are already enabled.")

    def cut(self, backend: str) -> None:
        """End the requests that a backend's one server, of the same name, is answering now."""
        self._tell(f"shutdown sessions server {backend}/{backend}")

    def _tell(self, command: str, harmless: str = "") -> None:
        answer = self._ask(command)
        if answer not in ("", harmless):
            raise StackError(f"proxy refused {command!r}: {answer}")

    def _ask(self, command: str) -> str:
        try:
            return self._exchange(command.encode() + b"\n").decode("utf-8", "replace").strip()
        except (FileNotFoundError, ConnectionRefusedError) as error:
            problem = f"proxy: nobody listens on {self._run / SOCKET}; start the stack with FAULTLINE_SHOP_PROXY=1"
            raise ProxyDown(problem) from error
        except OSError as error:
            problem = f"proxy: no answer to {command!r} on {self._run / SOCKET} ({error}); see ./run logs proxy"
            raise StackError(problem) from error

    def _exchange(self, request: bytes) -> bytes:
        # A socket's path is short by the kernel's rule; by way of the open folder it always is.
        folder = os.open(self._run, os.O_PATH | os.O_DIRECTORY)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(REPLY_SECONDS)
                connection.connect(f"/proc/self/fd/{folder}/{SOCKET}")
                connection.sendall(request)
                return b"".join(iter(lambda: connection.recv(65536), b""))
        finally:
            os.close(folder)
