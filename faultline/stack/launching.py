"""Bring several programs up at once, in the order of their needs, and tell what is being waited for."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic, sleep

from faultline.config import Environ, Paths
from faultline.errors import StackError
from faultline.stack.log_files import last_lines
from faultline.stack.program import Program
from faultline.stack.progress import Progress
from faultline.stack.scripts import write_script
from faultline.stack.supervisor import Supervisor

POLL_SECONDS = 0.2
SHOWN_LOG_LINES = 20


class Launch:
    """One attempt to bring programs up; `started` names those that this attempt asked supervisord to start."""

    def __init__(self, supervisor: Supervisor, environ: Environ, progress: Progress) -> None:
        self._supervisor = supervisor
        self._environ = environ
        self._logs = Paths.from_env(environ).logs
        self._progress = progress
        self.started: list[str] = []
        self._since: dict[str, float] = {}
        self._pids: dict[str, int] = {}

    def run(self, programs: Sequence[Program]) -> None:
        """Return when all are up; StackError with the end of the log when one ends or takes too long."""
        pending = {program.name: program for program in programs}
        missing: dict[str, str] = {}
        while pending:
            for program in list(pending.values()):
                if program.name not in self._since:
                    if not set(program.needs) & set(pending):
                        self._start(program)
                    continue
                problem = self._look(program)
                if problem is None:
                    del pending[program.name]
                    self._say_up(program)
                else:
                    missing[program.name] = problem
            self._show(pending, missing)
            sleep(POLL_SECONDS if pending else 0)

    def _start(self, program: Program) -> None:
        state = self._supervisor.states().get(program.name)
        self._since[program.name] = monotonic()
        if state is not None and state.is_alive:
            return
        write_script(program, self._environ)
        self._since[program.name] = monotonic()
        self.started.append(program.name)
        if state is not None and not state.is_down:  # between two tries of a back-off: do not wait for the next
            self._supervisor.stop(program.name)
        self._supervisor.start(program.name)

    def _look(self, program: Program) -> str | None:
        """Return None when the program is up, else what is missing; StackError when it will not come up."""
        state = self._supervisor.states().get(program.name)
        if state is None:
            raise StackError("supervisord ended while programs were starting; see ./run logs supervisord")
        first_pid = self._pids.setdefault(program.name, state.pid)
        if not state.is_alive or state.pid != first_pid:
            raise StackError(self._failure(program, f"it ended ({state.state.lower()}) {state.detail}".rstrip()))
        problem = self._problem(program, state.state)
        if problem is not None and self._seconds(program) > program.ready_seconds:
            raise StackError(self._failure(program, problem))
        if problem is None:
            program.after_ready()
        return problem

    def _problem(self, program: Program, state: str) -> str | None:
        if program.probe is not None:
            return program.probe()
        return None if state == "RUNNING" else "must keep running for a moment"

    def _seconds(self, program: Program) -> float:
        return monotonic() - self._since[program.name]

    def _failure(self, program: Program, problem: str) -> str:
        log = self._logs / f"{program.name}.log"
        lines = "\n".join(last_lines(log, SHOWN_LOG_LINES)) or "(empty)"
        return (
            f"{program.name} did not come up within {self._seconds(program):.0f} s: {problem}; end of {log}:\n{lines}"
        )

    def _say_up(self, program: Program) -> None:
        if program.name not in self.started:
            return
        self._progress.note(f"{program.name:<14} up after {self._seconds(program):4.1f} s  {program.address}".rstrip())

    def _show(self, pending: dict[str, Program], missing: dict[str, str]) -> None:
        parts = [
            f"{name} {self._seconds(program):.0f} s ({missing.get(name, 'started')})"
            for name, program in pending.items()
            if name in self._since
        ]
        if parts:
            self._progress.waiting(f"waiting for {', '.join(parts)}")
