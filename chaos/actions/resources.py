"""What a service runs short of: processor time, memory, disk, its own database."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Final

import psutil

from chaos.actions import background, limits
from chaos.actions.identity import find_again
from chaos.errors import TargetUnreachable
from chaos.targets import running_process
from chaos.undo import UndoLedger
from faultline.config import Environ, Paths
from faultline.shop import stores_folder
from faultline.stack.prerequisites import require_program

# Ends stress-ng even if nobody ever rolls back.
STRESS_SECONDS: Final = 1800
MEBIBYTE: Final = 1024 * 1024


def starve_cpu(service: str, workers: int) -> None:
    """Give a service one processor together with `workers` busy loops (stress-ng): about 1/(workers + 1) of it is left.

    The other processors stay as they are. Raises TargetUnreachable when the service does not run or there is only one
    processor, StackError without stress-ng.
    """
    process = running_process(os.environ, service)
    program = require_program("stress-ng", os.environ)
    allowed = process.cpu_affinity()
    if len(allowed) < 2:
        raise TargetUnreachable(f"{service} may use processor {allowed[0]} only, expected 2 or more; nothing injected")
    argv = [program, "--quiet", "--cpu", "1", "--cpu-method", "int64", "--timeout", str(STRESS_SECONDS)]
    for number in range(workers):
        # One session each: the kernel shares a processor between sessions first (autogroup), then within them.
        background.start(os.environ, [*argv, "--taskset", str(max(allowed))], f"stress-{service}-{number}")
    # Last, so that it is undone first: ending the loops on the processor that they keep busy takes a while.
    ledger = UndoLedger.from_env(os.environ)
    ledger.note(__name__, "unpin", pid=process.pid, created=process.create_time(), processors=allowed)
    _pin(process, [max(allowed)])


def unpin(environ: Environ, pid: int, created: float, processors: list[int]) -> None:
    """Let a service use these processors again; nothing when that process has ended."""
    process = find_again(pid, created)
    if process is not None:
        _pin(process, processors)


def leak_memory(service: str, limit_mb: int, mb_per_second: int) -> None:
    """Let a service have `limit_mb` MiB more of address space than now, and make it need more and more.

    A client sends it bodies that never end: what it holds grows by `mb_per_second` MiB each second until an allocation
    fails. Raises TargetUnreachable when it does not run.
    """
    process = running_process(os.environ, service)
    limits.lower(os.environ, process, "RLIMIT_AS", process.memory_info().vms + limit_mb * MEBIBYTE)
    argv = [sys.executable, "-m", "chaos.actions.leaker", service, str(mb_per_second)]
    background.start(os.environ, argv, f"leak-{service}")


def fill_disk(service: str) -> None:
    """Let a service write nothing more to any file: a full disk, for this process alone.

    A disk that is really full would need a file system of its own, and root to mount it. This is the file size limit:
    writes fail with EFBIG instead of ENOSPC, for its log as for its store. Raises TargetUnreachable.
    """
    limits.lower(os.environ, running_process(os.environ, service), "RLIMIT_FSIZE", 0)


def lock_database(service: str) -> None:
    """Hold the write lock of a service's SQLite file, as a forgotten session does. Raises TargetUnreachable."""
    running_process(os.environ, service)
    path = stores_folder(Paths.from_env(os.environ)) / f"{service}.db"
    if not path.exists():
        raise TargetUnreachable(f"{service} has no database at {path}; nothing was injected; choose another service")
    background.start(os.environ, [sys.executable, "-m", "chaos.actions.locker", str(path)], f"lock-{service}")


def _pin(process: psutil.Process, processors: list[int]) -> None:
    """Set the processors of every thread: the kernel's call is about one thread."""
    for thread in process.threads():
        with suppress(ProcessLookupError):  # ended meanwhile
            os.sched_setaffinity(thread.id, processors)
