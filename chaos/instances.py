"""The running instances of a service: the one that supervisord keeps, and those that stand beside it for a while."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from chaos import detached
from chaos.actions.waiting import wait_until
from chaos.errors import ChaosError
from faultline.config import Environ, Paths
from faultline.shop import LEAVE
from faultline.stack.leftovers import find_leftovers
from faultline.stack.programs import declare_programs
from faultline.stack.stopping import is_alive
from faultline.stack.supervisor import Supervisor

# Callers keep an unused connection for 5 s (httpx, the proxy); after that the end of one harms nobody.
LEAVE_SECONDS: Final = 6.0
END_SECONDS: Final = 15.0
READY_SECONDS: Final = 60.0  # generous: a busy two-core machine takes several times as long as an idle one
_OPEN: Final = frozenset({psutil.CONN_ESTABLISHED, psutil.CONN_CLOSE_WAIT})


class Instances:
    """The instances of one service of the stack of `environ`."""

    def __init__(self, environ: Environ, service: str) -> None:
        self._environ, self.service = environ, service
        self._paths = Paths.from_env(environ)
        self._program = declare_programs(environ)[service]
        self._supervisor = Supervisor(environ)

    def kept(self) -> psutil.Process | None:
        """Return the process that supervisord keeps; None when it does not run."""
        state = self._supervisor.states().get(self.service)
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(state.pid) if state is not None and state.is_alive else None
        return None

    def beside(self) -> list[psutil.Process]:
        """Return the instances that supervisord does not know; found again after a crash of whoever started them."""
        kept = self.kept()
        found = [process for process in find_leftovers(self._paths) if _serves(process, self.service)]
        return [process for process in found if process != kept and os.getsid(process.pid) == process.pid]

    def start_beside(self, script: Path) -> psutil.Process:
        """Start a launch script as a process of its own; `./run down` finds it by the stack's marker."""
        return psutil.Process(detached.spawn(self._environ, ["/bin/sh", str(script)], f"{self.service}-beside"))

    def start_kept(self) -> None:
        """Have supervisord start the service by its launch script, and wait until it takes requests."""
        self._supervisor.start(self.service)
        wait_until(self._not_ready, READY_SECONDS, f"the start of {self.service}")

    def stop_kept(self) -> None:
        """Have the service's callers leave, then stop it; nothing when it is down."""
        process = self.kept()
        if process is not None:
            self._see_off(process)
        self._supervisor.stop(self.service)
        wait_until(self._not_down, END_SECONDS + 10, f"the end of {self.service}")

    def end_beside(self) -> None:
        """Have the callers of what stands beside leave, then end it."""
        self._end(self.beside())

    def keep_newest(self) -> None:
        """Leave one instance: the newest that takes requests; what was broken off may have left several.

        The kernel gives connections to the second socket of a port (demo/handover.py): beside a third, the one that is
        to leave would go on getting them, and lose those it has not accepted when it ends.
        """
        kept, beside = self.kept(), self.beside()
        ready = [process for process in (kept, *beside) if process is not None and self._listens(process)]
        newest = max(ready, key=psutil.Process.create_time, default=None)
        if kept is not None and newest is not None and newest != kept:
            self.stop_kept()
        self._end([process for process in beside if process != newest])

    def wait_ready(self, process: psutil.Process) -> None:
        """Return when this very process listens and the service is healthy; ChaosError when it ends or takes long."""
        wait_until(lambda: self._missing(process), READY_SECONDS, f"a new instance of {self.service} ready")

    def _end(self, processes: Sequence[psutil.Process]) -> None:
        for process in processes:
            self._see_off(process)
        end(processes)

    def _missing(self, process: psutil.Process) -> str | None:
        if not is_alive(process):
            log = self._paths.logs / f"{self.service}-beside.log"
            raise ChaosError(f"a new instance of {self.service} ended before it was ready; see {log}")
        if not self._listens(process):
            return "it does not listen"
        return self._program.probe() if self._program.probe else None

    def _not_ready(self) -> str | None:
        process = self.kept()
        if process is None or not self._listens(process):
            return "not running" if process is None else "it does not listen"
        return self._program.probe() if self._program.probe else None

    def _not_down(self) -> str | None:
        state = self._supervisor.states().get(self.service)
        return None if state is None or state.is_down else state.state.lower()

    def _see_off(self, process: psutil.Process) -> None:
        """Ask it to end each connection with its answer; wait until none is left, or callers use none any more."""
        if not self._listens(process):
            return  # still starting: it would not know the signal, and has no callers
        process.send_signal(LEAVE)
        with suppress(ChaosError):
            wait_until(lambda: self._callers(process), LEAVE_SECONDS, "the end of the connections")

    def _callers(self, process: psutil.Process) -> str | None:
        count = sum(status in _OPEN for status in self._statuses(process))
        return f"{count} are open" if count else None

    def _listens(self, process: psutil.Process) -> bool:
        return psutil.CONN_LISTEN in self._statuses(process)

    def _statuses(self, process: psutil.Process) -> list[str]:
        with suppress(psutil.NoSuchProcess):
            sockets = process.net_connections("tcp4")
            return [found.status for found in sockets if found.laddr and found.laddr.port in self._program.ports]
        return []


def end(processes: Sequence[psutil.Process]) -> None:
    """End processes gently, then by force."""
    detached.end(processes, END_SECONDS, END_SECONDS)


def _serves(process: psutil.Process, service: str) -> bool:
    try:
        return process.cmdline()[1:] == ["-m", "demo.serve", service]
    except psutil.Error:  # ended meanwhile
        return False
