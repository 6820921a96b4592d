"""Stop programs in the reverse order of their needs, then supervisord, and leave no process behind."""

from __future__ import annotations

import http.client
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic, sleep

import psutil

from faultline.stack.program import Program
from faultline.stack.progress import Progress
from faultline.stack.supervisor import Supervisor

POLL_SECONDS = 0.1
SHUTDOWN_SECONDS = 60.0


def stop_programs(
    supervisor: Supervisor, programs: Mapping[str, Program], names: Iterable[str], progress: Progress
) -> set[str]:
    """Stop `names`, each once nothing that needs it runs any more; return what is still there at the deadline."""
    pending, asked, start = set(names), set[str](), monotonic()
    deadline = start + 10 + sum(programs[name].stop_seconds for name in pending if name in programs)
    while monotonic() < deadline:
        states = supervisor.states()
        pending = {name for name in pending if name in states and not states[name].is_down}
        if not pending:
            return pending
        for name in pending - asked:
            if not any(name in programs[other].needs for other in pending if other in programs):
                supervisor.stop(name)
                asked.add(name)
        progress.waiting(f"stopping {', '.join(sorted(pending))} ({monotonic() - start:.0f} s)")
        sleep(POLL_SECONDS)
    return pending


def end_supervisor(supervisor: Supervisor, progress: Progress) -> bool:
    """Ask supervisord to end and wait for it; False when none answers. One that hangs is left to `stop_leftovers`."""
    pid = supervisor.pid()
    if pid is None:
        return False
    try:
        daemon = psutil.Process(pid)
        supervisor.shutdown()
    except (psutil.NoSuchProcess, OSError, http.client.HTTPException):
        return True
    start = monotonic()
    while is_alive(daemon) and monotonic() - start < SHUTDOWN_SECONDS:
        progress.waiting(f"stopping supervisord ({monotonic() - start:.0f} s)")
        sleep(POLL_SECONDS)
    return True


def is_alive(process: psutil.Process) -> bool:
    """True while a process runs; one that ended and was not waited for does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Let a clean-up finish: a second Ctrl-C would leave processes behind. Only the main thread gets signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
