"""Undo what an injector left behind when it was killed: a process that outlives it, and waits for its end.

Its standard input is a pipe whose other end only the injector holds: when that ends, in whatever way, the pipe does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from chaos.undo import UndoLedger
from faultline.config import Environ

DONE = "done"


def guard(lines: Iterable[str], environ: Environ) -> list[str]:
    """Read what the injector says until it ends; undo what is pending unless its last word was DONE.

    A number is the process group of the experiment that runs now: ended first, so that nothing new is injected.
    """
    group = 0
    for line in lines:
        if line.strip() == DONE:
            return []
        group = int(line)
    if group:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    return UndoLedger.from_env(environ).undo_all()


class Guardian:
    """The injector's end of the pipe."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def watch(self, group: int) -> None:
        """Name the process group of the experiment that has been started; 0 when it has ended."""
        self._say(str(group))

    def dismiss(self) -> None:
        """Tell that everything has been undone."""
        self._say(DONE)
        self._process.communicate()

    def _say(self, text: str) -> None:
        with suppress(BrokenPipeError):  # it was killed: what it was for is done by the next run
            print(text, file=self._process.stdin, flush=True)


@contextmanager
def guarded(environ: Environ) -> Iterator[Guardian]:
    """Have a guardian look after this process; on the way out it undoes nothing any more."""
    process = subprocess.Popen(
        [sys.executable, "-m", "chaos.guardian"],
        env=dict(environ),
        stdin=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    guardian = Guardian(process)
    try:
        yield guardian
    finally:
        guardian.dismiss()


if __name__ == "__main__":
    for undone in guard(sys.stdin, os.environ):
        print(f"guardian: the injector ended; undone: {undone}", file=sys.stderr)
