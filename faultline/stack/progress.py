"""Say what is being waited for, and for how long: in place on a terminal, in plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from shutil import get_terminal_size
from time import monotonic
from typing import TextIO

PLAIN_SECONDS = 5.0  # between two "still waiting" lines where nothing can be overwritten
_CLEAR_LINE = "\r\x1b[K"


class Progress:
    """Writes to one stream; `note` lines stay, `waiting` lines are replaced or thinned out."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = monotonic) -> None:
        self._stream = sys.stderr if stream is None else stream  # as it is now, not as it was at import
        self._clock = clock
        self._terminal = self._stream.isatty()
        self._last_plain = clock()
        self._open_line = False
        self._lock = threading.Lock()

    def note(self, text: str) -> None:
        """Write a line that stays."""
        with self._lock:
            self._write(f"{self._clear()}{text}\n")
            self._last_plain = self._clock()

    def waiting(self, text: str) -> None:
        """Show a passing state: replaced on a terminal, at most one line per five seconds elsewhere."""
        with self._lock:
            if self._terminal:
                self._write(_CLEAR_LINE + text[: get_terminal_size().columns - 1])
                self._open_line = True
            elif self._clock() - self._last_plain >= PLAIN_SECONDS:
                self._write(text + "\n")
                self._last_plain = self._clock()

    def close(self) -> None:
        """Remove a passing line, so that what follows starts on a clean one."""
        with self._lock:
            self._write(self._clear())

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Announce one blocking step, count its seconds while it runs, and say how long it took."""
        start = self._clock()
        self.note(f"{text} ...")
        finished = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(text, start, finished), daemon=True)
        ticker.start()
        try:
            yield
        finally:
            finished.set()
            ticker.join()
            self.close()
        self.note(f"{text}: done in {self._clock() - start:.1f} s")

    def _tick(self, text: str, start: float, finished: threading.Event) -> None:
        while not finished.wait(0.5):
            self.waiting(f"{text} ({self._clock() - start:.0f} s)")

    def _clear(self) -> str:
        was_open, self._open_line = self._open_line, False
        return _CLEAR_LINE if was_open else ""

    def _write(self, text: str) -> None:
        if text:
            self._stream.write(text)
            self._stream.flush()
