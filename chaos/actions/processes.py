"""Processes that are killed, paused, or killed again each time they come up."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import partial
from typing import Final

import psutil

from chaos.actions import background
from chaos.actions.identity import find_again
from chaos.actions.waiting import wait_until
from chaos.targets import running_process
from chaos.undo import UndoLedger
from faultline.config import Environ
from faultline.stack.programs import declare_programs
from faultline.stack.stopping import is_alive
from faultline.stack.supervisor import Supervisor

END_SECONDS: Final = 10.0
UP_SECONDS: Final = 60.0  # generous: a busy two-core machine takes several times as long as an idle one


def kill(service: str) -> None:
    """SIGKILL, and it stays down until the rollback. Raises TargetUnreachable when it does not run."""
    process = running_process(os.environ, service)
    ledger = UndoLedger.from_env(os.environ)
    ledger.note(__name__, "start_again", service=service)
    ledger.note(__name__, "resume", pid=process.pid, created=process.create_time())
    # Frozen first: supervisord restarts what ends unless it was asked to stop it, and its SIGTERM would let the
    # service say goodbye, which a killed one does not.
    process.suspend()
    Supervisor(os.environ).stop(service)
    with suppress(psutil.NoSuchProcess):
        process.kill()
    wait_until(partial(_still_there, process), END_SECONDS, f"the end of {service} (pid {process.pid})")


def pause(service: str) -> None:
    """SIGSTOP: its port still takes connections, nobody answers. Raises TargetUnreachable when it does not run."""
    process = running_process(os.environ, service)
    ledger = UndoLedger.from_env(os.environ)
    ledger.note(__name__, "resume", pid=process.pid, created=process.create_time())
    process.suspend()


def crash_loop(service: str) -> None:
    """Kill it each time it has come up, while supervisord starts it again with growing pauses.

    Raises TargetUnreachable when it does not run.
    """
    running_process(os.environ, service)
    UndoLedger.from_env(os.environ).note(__name__, "start_again", service=service)
    background.start(os.environ, [sys.executable, "-m", "chaos.actions.crasher", service], f"crash-loop-{service}")


def start_again(environ: Environ, service: str) -> None:
    """Bring a service up as it was, and wait until it answers; the undo of `kill` and `crash_loop`.

    Its launch script is left as it is: a release that was rolled out stays. Nothing when the whole stack is down.
    Raises ChaosError when it does not come up.
    """
    supervisor = Supervisor(environ)
    wait_until(partial(_push, supervisor, service), END_SECONDS, f"the start of {service}")
    probe = declare_programs(environ)[service].probe
    if probe is not None and supervisor.states():
        wait_until(probe, UP_SECONDS, f"{service} up again")


def resume(environ: Environ, pid: int, created: float) -> None:
    """SIGCONT; nothing when that process has ended. The undo of `pause`, and of a `kill` that got half-way."""
    process = find_again(pid, created)
    if process is not None:
        process.resume()


def _push(supervisor: Supervisor, service: str) -> str | None:
    """Bring the program one step nearer to its start; None when it runs, or when there is no stack to run it in."""
    states = supervisor.states()
    if not states or states[service].is_alive:
        return None
    if states[service].is_down:
        supervisor.start(service)
    elif states[service].state == "BACKOFF":  # between two tries: do not wait for the next
        supervisor.stop(service)
    return f"it is {states[service].state.lower()}"


def _still_there(process: psutil.Process) -> str | None:
    return "it still runs" if is_alive(process) else None
