"""Find and stop processes of a stack that no supervisord looks after any more.

They are known by a marker in their environment, not by recorded process ids: a program that was restarted has
another id, and after a reboot an id may belong to anybody.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil

from faultline.config import Paths
from faultline.errors import StackError
from faultline.stack.scripts import MARKER

TERM_SECONDS = 20.0
KILL_SECONDS = 5.0
KILL_ROUNDS = 3


def find_leftovers(paths: Paths) -> list[psutil.Process]:
    """Return the live processes of the stack of this home, supervisord included; never the caller."""
    own = {os.getpid(), os.getppid()}
    return [process for process in psutil.process_iter() if process.pid not in own and _belongs(process, paths)]


def _belongs(process: psutil.Process, paths: Paths) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if process.environ().get(MARKER) == str(paths.home):
            return True
        # nginx writes its title over its environment; its folder tells whose it is.
        return process.name() == "nginx" and Path(process.cwd()) == paths.run
    except (psutil.Error, OSError):  # ended meanwhile, or another user's: not ours either way
        return False


def describe(processes: Iterable[psutil.Process]) -> str:
    """Return `name (pid N), ...` for a message."""
    return ", ".join(f"{_name(process)} (pid {process.pid})" for process in processes)


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return "ended"


def stop_leftovers(paths: Paths) -> list[str]:
    """Terminate, then kill, what is left of the stack; return what was stopped. StackError when one survives."""
    stopped: list[str] = []
    # Killed more than once: a shell may start a child between the look and the signal.
    for seconds, force in ((TERM_SECONDS, False), *[(KILL_SECONDS, True)] * KILL_ROUNDS):
        left = find_leftovers(paths)
        if not left:
            return stopped
        stopped += [describe([process]) for process in left] if not force else []
        _signal(left, force)
        psutil.wait_procs(left, timeout=seconds)
    survivors = find_leftovers(paths)
    if survivors:
        raise StackError(f"could not stop {describe(survivors)}, not even with SIGKILL; stop it as the user it runs as")
    return stopped


def _signal(processes: Sequence[psutil.Process], force: bool) -> None:
    for process in processes:
        try:
            process.kill() if force else process.terminate()
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied as error:
            raise StackError(f"may not stop {describe([process])}: it runs as another user") from error
