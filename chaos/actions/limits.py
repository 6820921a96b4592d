"""Resource limits of a running process, set from outside (prlimit)."""

from __future__ import annotations

import resource

import psutil

from chaos.actions.identity import find_again
from chaos.undo import UndoLedger
from faultline.config import Environ


def lower(environ: Environ, process: psutil.Process, name: str, soft: int) -> None:
    """Set a soft limit (`name` as in RLIMIT_AS, unit as there) of a process; its hard limit stays."""
    before, hard = process.rlimit(getattr(resource, name))
    arguments = {"pid": process.pid, "created": process.create_time(), "name": name, "soft": before}
    UndoLedger.from_env(environ).note(__name__, "restore", **arguments)
    process.rlimit(getattr(resource, name), (soft, hard))


def restore(environ: Environ, pid: int, created: float, name: str, soft: int) -> None:
    """Set a soft limit back; nothing when that process has ended, its successor has limits of its own."""
    process = find_again(pid, created)
    if process is not None:
        _, hard = process.rlimit(getattr(resource, name))
        process.rlimit(getattr(resource, name), (soft, hard))
