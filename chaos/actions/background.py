"""Processes of the injector that go on after the action that started them: load, locks, whatever holds a fault up."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import psutil

from chaos import detached
from chaos.actions.identity import find_again
from chaos.undo import UndoLedger
from faultline.config import Environ

TERM_SECONDS: Final = 3.0
KILL_SECONDS: Final = 5.0
# Waits until the undo is on disk; without a word from us (we were killed) it ends and has changed nothing.
_GATE: Final = 'read -r go && exec "$@" </dev/null'


def start(environ: Environ, argv: Sequence[str], log_name: str) -> None:
    """Start a program that runs until it is undone; what it prints goes to `<home>/log/chaos-<log_name>.log`.

    It has a session of its own, so that Ctrl-C does not reach it, and the stack's marker, so that `./run down` does.
    """
    read_end, write_end = os.pipe()
    with _closing(write_end):
        with _closing(read_end):
            pid = detached.spawn(environ, ["/bin/sh", "-c", _GATE, "sh", *argv], f"chaos-{log_name}", read_end)
        created = psutil.Process(pid).create_time()
        UndoLedger.from_env(environ).note(__name__, "stop", pid=pid, created=created)
        os.write(write_end, b"go\n")


def stop(environ: Environ, pid: int, created: float) -> None:
    """End a program started here, and its children; nothing when it has ended. The undo of `start`."""
    detached.end(_session(pid, created), TERM_SECONDS, KILL_SECONDS)


def _session(pid: int, created: float) -> list[psutil.Process]:
    """Return the live processes of the session that `pid` leads or led.

    The kernel gives the number to nobody else while the session has a member; a leader with another start time says
    that it has none any more.
    """
    if psutil.pid_exists(pid) and find_again(pid, created) is None and not _is_zombie(pid):
        return []
    return [process for process in psutil.process_iter() if _session_of(process) == pid]


def _is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _session_of(process: psutil.Process) -> int:
    try:
        return os.getsid(process.pid)
    except OSError:  # ended meanwhile, or not ours to ask about
        return -1


@contextmanager
def _closing(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)
