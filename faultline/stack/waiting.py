"""Wait, and say for what and for how long."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep
from typing import TypeVar

from faultline.errors import StackError
from faultline.stack.progress import Progress

POLL_SECONDS = 0.25

T = TypeVar("T")


def pass_time(progress: Progress, text: str, seconds: float) -> None:
    """Wait on purpose, saying how long it still takes."""
    end = monotonic() + seconds
    progress.note(f"{text} ({seconds:.0f} s)")
    while (left := end - monotonic()) > 0:
        progress.waiting(f"{text}: {left:.0f} s left")
        sleep(min(0.5, left))
    progress.close()


def wait_until(progress: Progress, what: str, check: Callable[[], T], seconds: float) -> T | None:
    """Poll until `check` gives something true, and return it; None at the deadline."""
    begin = monotonic()
    while not (found := check()):
        waited = monotonic() - begin
        if waited > seconds:
            progress.close()
            progress.note(f"{what}: not within {seconds:.0f} s")
            return None
        progress.waiting(f"waiting for {what} ({waited:.0f} s)")
        sleep(POLL_SECONDS)
    progress.close()
    progress.note(f"{what}: {monotonic() - begin:.1f} s")
    return found


def wait_for(progress: Progress, what: str, check: Callable[[], T], seconds: float) -> T:
    """Poll until `check` gives something true, and return it; StackError at the deadline."""
    found = wait_until(progress, what, check, seconds)
    if found is None:
        raise StackError(f"waited {seconds:.0f} s for {what}; see ./run status and ./run logs stream")
    return found
