"""Processes that outlive whoever starts them: in a session of their own, ended gently, then by force."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from faultline.config import Environ, Paths
from faultline.stack.scripts import program_environment


def spawn(environ: Environ, argv: Sequence[str], log_name: str, stdin: int | None = None) -> int:
    """Start a program with the stack's marker, by which `./run down` finds it; return its process id.

    What it prints goes to `<home>/log/<log_name>.log`; it reads from `stdin`, or nothing.
    """
    logs = Paths.from_env(environ).logs
    logs.mkdir(parents=True, exist_ok=True)
    given = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0) if stdin is None else (os.POSIX_SPAWN_DUP2, stdin, 0)
    output = (os.POSIX_SPAWN_OPEN, 1, logs / f"{log_name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    actions = [given, output, (os.POSIX_SPAWN_DUP2, 1, 2)]
    variables = {**environ, **program_environment(environ)}
    # Python's other descriptors are closed at exec; not subprocess.Popen, which complains of a child it outlives.
    return os.posix_spawn(Path(argv[0]), list(argv), variables, file_actions=actions, setsid=True)


def end(processes: Sequence[psutil.Process], gentle_seconds: float, force_seconds: float) -> None:
    """Terminate, then kill what is left, and wait for as long for its end."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, left = psutil.wait_procs(processes, timeout=gentle_seconds)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=force_seconds)
