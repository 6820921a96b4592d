"""Run one service of the shop: `python -m demo.serve SERVICE`."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence

import uvicorn

from demo import inventory, orders, payments, storefront
from demo.config import SERVICES, ShopConfig
from demo.handover import Handover, steer_to_newest
from demo.logs import log_to_file
from demo.service import Service
from faultline.errors import ConfigError, FaultlineError, StackError
from faultline.shop import LEAVE, is_surge

_APPS = {
    "storefront": storefront.create_app,
    "orders": orders.create_app,
    "payments": payments.create_app,
    "inventory": inventory.create_app,
}
# Longer than any client keeps an idle connection, so that a service never closes one that is about to be used.
KEEP_ALIVE_SECONDS = 75
BACKLOG = 256


def main(environ: Mapping[str, str], arguments: Sequence[str]) -> None:
    """Serve until SIGTERM or SIGINT; raises ConfigError or StackError before anything is served."""
    if len(arguments) != 1 or arguments[0] not in SERVICES:
        raise ConfigError("SERVICE", " ".join(arguments), f"one of {', '.join(SERVICES)}")
    name, config = arguments[0], ShopConfig.from_env(environ)
    with listen(name, config.port(name), beside=is_surge(environ)) as listener:
        log_to_file(name, config.logs)
        app = Handover(_APPS[name](Service(name, config)))
        signal.signal(LEAVE, app.leave)
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                access_log=False,
                log_config=None,  # uvicorn's records go to the root logger: the JSON file
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=5,
            )
        )
        server.run(sockets=[listener])
    if not server.started:
        raise StackError(f"{name} did not start; the reason is in {config.logs / name}.log")


def listen(name: str, port: int, *, beside: bool = False) -> socket.socket:
    """Return a socket bound to the loopback port, which begins to listen when the service is ready.

    Raises StackError when the port is taken; `beside` shares it with another instance of the same user.
    """
    try:
        if not beside:
            _bind(port, shared=False).close()
        listener = _bind(port, shared=True)
    except OSError as error:
        text = (
            f"{name} cannot listen on 127.0.0.1:{port}: {error.strerror}; stop what uses the port, "
            f"or choose another with FAULTLINE_PORT_{name.upper()} or FAULTLINE_PORT_OFFSET"
        )
        raise StackError(text) from error
    if not beside:
        steer_to_newest(listener)
    return listener


def _bind(port: int, *, shared: bool) -> socket.socket:
    # With the protocol named, asyncio turns Nagle's algorithm off: answers of two writes would wait 40 ms without.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))
        bound.bind(("127.0.0.1", port))
    except OSError:
        bound.close()
        raise
    return bound


if __name__ == "__main__":
    try:
        main(os.environ, sys.argv[1:])
    except FaultlineError as fault:
        sys.exit(str(fault))
