"""Run one service of the shop: `python -m demo.serve SERVICE`."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping, Sequence

import uvicorn

from demo import inventory, orders, payments, storefront
from demo.config import SERVICES, ShopConfig
from demo.logs import log_to_file
from demo.service import Service
from faultline.errors import ConfigError, FaultlineError, StackError

_APPS = {
    "storefront": storefront.create_app,
    "orders": orders.create_app,
    "payments": payments.create_app,
    "inventory": inventory.create_app,
}
# Longer than any client keeps an idle connection, so that a service never closes one that is about to be used.
KEEP_ALIVE_SECONDS = 75


def main(environ: Mapping[str, str], arguments: Sequence[str]) -> None:
    """Serve until SIGTERM or SIGINT; raises ConfigError or StackError before anything is served."""
    if len(arguments) != 1 or arguments[0] not in SERVICES:
        raise ConfigError("SERVICE", " ".join(arguments), f"one of {', '.join(SERVICES)}")
    name, config = arguments[0], ShopConfig.from_env(environ)
    with listen(name, config.port(name)) as listener:
        log_to_file(name, config.logs)
        server = uvicorn.Server(
            uvicorn.Config(
                _APPS[name](Service(name, config)),
                access_log=False,
                log_config=None,  # uvicorn's records go to the root logger: the JSON file
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=5,
            )
        )
        server.run(sockets=[listener])
    if not server.started:
        raise StackError(f"{name} did not start; the reason is in {config.logs / name}.log")


def listen(name: str, port: int) -> socket.socket:
    """Return a socket bound to the loopback port; raises StackError when it is taken."""
    # With the protocol named, asyncio turns Nagle's algorithm off: answers of two writes would wait 40 ms without.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(256)
    except OSError as error:
        listener.close()
        text = (
            f"{name} cannot listen on 127.0.0.1:{port}: {error.strerror}; stop what uses the port, "
            f"or choose another with FAULTLINE_PORT_{name.upper()} or FAULTLINE_PORT_OFFSET"
        )
        raise StackError(text) from error
    return listener


if __name__ == "__main__":
    try:
        main(os.environ, sys.argv[1:])
    except FaultlineError as fault:
        sys.exit(str(fault))
