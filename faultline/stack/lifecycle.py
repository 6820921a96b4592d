"""The embedded stack as a whole: up, down, status; each may be called at any time, in any state."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from faultline.config import Environ, Paths
from faultline.errors import ConfigError, StackError
from faultline.stack.exclusive import exclusive
from faultline.stack.launching import Launch
from faultline.stack.leftovers import describe, find_leftovers, stop_leftovers
from faultline.stack.preparation import prepare
from faultline.stack.program import Program
from faultline.stack.programs import declare_programs, has_model
from faultline.stack.progress import Progress
from faultline.stack.status import ProgramStatus, look_at
from faultline.stack.stopping import end_supervisor, interrupts_ignored, stop_programs
from faultline.stack.supervisor import Supervisor


class Stack:
    """The programs of one FAULTLINE_HOME."""

    def __init__(self, environ: Environ, progress: Progress) -> None:
        self._environ = environ
        self._paths = Paths.from_env(environ)
        self._progress = progress
        self._supervisor = Supervisor(environ)
        self.programs = declare_programs(environ)

    @classmethod
    def from_env(cls, environ: Environ, progress: Progress | None = None) -> Stack:
        """Read ports and folders; raises ConfigError, starts nothing. Progress goes to standard error."""
        return cls(dict(environ), progress or Progress())

    def up(self, names: Sequence[str] | None = None) -> list[str]:
        """Bring programs (default: all; the stream only with a model) and what they need up; wait until they are.

        Returns the names of those that had to be started: empty when all were up. When one does not come up, or on
        Ctrl-C, what this call started is stopped again. Raises StackError.
        """
        return self._bring_up(self.expected() if names is None else self._with_needs(names))

    def start(self, name: str) -> None:
        """Bring one program up without what it needs, and wait until it is; nothing when it is up."""
        self._bring_up([self.program(name)])

    def stop(self, name: str) -> None:
        """Stop one program and wait for its end; it stays down until it is started. Nothing when it is down."""
        program = self.program(name)
        with self._exclusive():
            left = stop_programs(self._supervisor, self.programs, [name], self._progress)
            self._progress.close()
        if left:
            raise StackError(f"{name} did not end within {program.stop_seconds + 10} s; see ./run logs {name}")

    def down(self) -> list[str]:
        """Stop everything in reverse order, and supervisord; return what ran. StackError when a process survives."""
        with self._exclusive(), interrupts_ignored():
            stopped = self._stop_supervised()
            stopped += stop_leftovers(self._paths)
            self._supervisor.forget_socket()
            (self._paths.run / "supervisord.pid").unlink(missing_ok=True)
        return stopped

    def status(self) -> list[ProgramStatus]:
        """Return one row per program, looking at each once."""
        states = self._supervisor.states()
        return [look_at(program, states.get(program.name)) for program in self.programs.values()]

    def unsupervised(self) -> str:
        """Return the processes of this stack that no supervisord looks after, as text; empty when there are none."""
        return "" if self._supervisor.pid() else describe(find_leftovers(self._paths))

    def expected(self) -> list[Program]:
        """Return the programs of a plain `up`: all, but what needs a model only once there is one."""
        return [
            program
            for program in self.programs.values()
            if program.needs_part is None or has_model(self._environ, program.needs_part)
        ]

    def without_model(self) -> list[str]:
        """Return the names of the programs that run before anything was learned."""
        return [program.name for program in self.programs.values() if program.needs_part is None]

    def program(self, name: str) -> Program:
        """Return a program by name; ConfigError lists those that exist."""
        if name not in self.programs:
            raise ConfigError("program", name, f"one of {', '.join(self.programs)}")
        return self.programs[name]

    def _with_needs(self, names: Sequence[str]) -> list[Program]:
        wanted: set[str] = set()
        unvisited = [self.program(name).name for name in names]
        while unvisited:
            name = unvisited.pop()
            if name not in wanted:
                wanted.add(name)
                unvisited.extend(self.programs[name].needs)
        return [program for program in self.programs.values() if program.name in wanted]

    def _bring_up(self, programs: Sequence[Program]) -> list[str]:
        with self._exclusive():
            states = self._supervisor.states()
            if all(look_at(program, states.get(program.name)).state == "up" for program in programs):
                return []
            launch = Launch(self._supervisor, self._environ, self._progress)
            launched_supervisor = not states
            try:
                if launched_supervisor:
                    self._stop_orphans()
                alive = {name for name, state in states.items() if state.is_alive}
                idle = [program for program in programs if program.name not in alive]
                prepare(idle, self._environ, self._progress)
                if launched_supervisor:
                    self._supervisor.launch(self.programs.values())
                launch.run(programs)
            except BaseException:
                with interrupts_ignored():
                    self._undo(launch, launched_supervisor)
                raise
            return launch.started

    def _stop_orphans(self) -> None:
        orphans = stop_leftovers(self._paths)
        if orphans:
            self._progress.note(f"stopped what an earlier run left behind: {', '.join(orphans)}")

    def _undo(self, launch: Launch, launched_supervisor: bool) -> None:
        self._progress.close()
        if launch.started:
            self._progress.note(f"stopping what was started: {', '.join(launch.started)}")
        stop_programs(self._supervisor, self.programs, launch.started, self._progress)
        if launched_supervisor:
            end_supervisor(self._supervisor, self._progress)
            stop_leftovers(self._paths)
        self._progress.close()

    def _stop_supervised(self) -> list[str]:
        alive = [name for name, state in self._supervisor.states().items() if not state.is_down]
        stop_programs(self._supervisor, self.programs, alive, self._progress)
        ended = end_supervisor(self._supervisor, self._progress)
        self._progress.close()
        return [*alive, *(["supervisord"] if ended else [])]

    def _exclusive(self) -> AbstractContextManager[None]:
        return exclusive(self._paths.run / "lock", self._progress)
