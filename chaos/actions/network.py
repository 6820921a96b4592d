"""Faults between two services, made by the proxy that stands between them (haproxy/haproxy.cfg)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from chaos.errors import ExperimentError, TargetUnreachable
from chaos.undo import UndoLedger
from faultline.config import Environ, Paths
from faultline.errors import StackError
from faultline.shop import CALLS
from faultline.stack.proxy import ProxyAdmin, ProxyDown

MAX_MILLISECONDS: Final = 10_000  # longer than any service waits for another: 6 s


def delay(caller: str, callee: str, milliseconds: int) -> None:
    """Hold each request from caller to callee back for so long; see `impair` for what is raised."""
    if not 0 < milliseconds <= MAX_MILLISECONDS:
        text = f"delay from {caller} to {callee} is {milliseconds} ms, expected 1 to {MAX_MILLISECONDS}"
        raise ExperimentError(f"{text}; nothing was injected")
    impair(os.environ, caller, callee, lambda proxy: proxy.set(f"{caller}_{callee}_delay", milliseconds))


def black_hole(caller: str, callee: str) -> None:
    """Leave requests from caller to callee unanswered until the caller gives up; none reaches the callee."""

    def swallow(proxy: ProxyAdmin) -> None:
        proxy.set(f"{caller}_{callee}_cut", 1)
        proxy.set(f"{caller}_{callee}_delay", MAX_MILLISECONDS)

    impair(os.environ, caller, callee, swallow)


def cut(caller: str, callee: str) -> None:
    """Close connections from caller to callee as soon as a request comes: accepted, never answered."""
    impair(os.environ, caller, callee, lambda proxy: proxy.set(f"{caller}_{callee}_cut", 1))


def refuse(caller: str, callee: str) -> None:
    """Refuse connections from caller to callee; those that exist end with their next request, or in mid-request."""

    def close(proxy: ProxyAdmin) -> None:
        proxy.refuse(f"{caller}-{callee}")
        proxy.set(f"{caller}_{callee}_cut", 1)
        proxy.cut(callee)

    impair(os.environ, caller, callee, close)


def impair(environ: Environ, caller: str, callee: str, change: Callable[[ProxyAdmin], None]) -> None:
    """Change what the proxy does between two services, with `restore` noted first.

    Raises ExperimentError when one does not call the other, TargetUnreachable when the proxy does not answer.
    """
    if (caller, callee) not in CALLS:
        known = ", ".join(f"{one} to {other}" for one, other in CALLS)
        raise ExperimentError(f"{caller} does not call {callee}, expected one of {known}; nothing was injected")
    proxy = ProxyAdmin(Paths.from_env(environ).run)
    try:
        proxy.check()
    except StackError as error:
        raise TargetUnreachable(f"between {caller} and {callee}: {error}; nothing was injected") from error
    UndoLedger.from_env(environ).note(__name__, "restore", caller=caller, callee=callee)
    change(proxy)


def restore(environ: Environ, caller: str, callee: str) -> None:
    """Let everything pass between two services again; a proxy that has ended or started anew does so anyway.

    Raises StackError when the proxy runs and does not do as it is told.
    """
    proxy = ProxyAdmin(Paths.from_env(environ).run)
    try:
        proxy.set(f"{caller}_{callee}_delay", 0)
        proxy.set(f"{caller}_{callee}_cut", 0)
        proxy.accept(f"{caller}-{callee}")
    except ProxyDown:
        return
