"""One `up` or `down` at a time per home; the kernel frees the lock when its holder ends, however it ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from faultline.errors import StackError
from faultline.stack.progress import Progress

WAIT_SECONDS = 600.0


@contextmanager
def exclusive(path: Path, progress: Progress, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the lock file `path`; waits for another holder and says so. StackError after `wait_seconds`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    start = monotonic()
    with path.open("a") as file:
        while not try_lock(file.fileno()):
            waited = monotonic() - start
            if waited > wait_seconds:
                raise StackError(f"{path} has been held for {waited:.0f} s by another ./run; wait for it, or stop it")
            progress.waiting(f"waiting for another ./run up or down to finish ({waited:.0f} s)")
            sleep(0.2)
        yield


def try_lock(descriptor: int) -> bool:
    """Lock an open file; False when another holder has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
