"""Cut bytes into lines; only whole lines leave, and every byte has its place in one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """Bytes between two newlines; `end` is where the next line starts."""

    offset: int
    end: int
    data: bytes
    too_long: bool = False  # a piece of a line above the limit; pieces follow each other without a gap


class LineSplitter:
    """Takes the bytes of a file from `offset` on, in chunks of any size; the chunks do not change what comes out."""

    def __init__(self, offset: int, max_line_bytes: int, *, inside_long_line: bool = False) -> None:
        self._start = offset  # of the line whose beginning is in `_partial`
        self._partial = b""
        self._max = max_line_bytes
        self._inside_long_line = inside_long_line

    @property
    def read_offset(self) -> int:
        """Where the next chunk has to begin."""
        return self._start + len(self._partial)

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """Yield the lines that the chunk completes, and the pieces of one that is too long already."""
        *whole, self._partial = (self._partial + chunk).split(b"\n")
        for data in whole:
            yield from self._finish(data, newline=True)
        while len(self._partial) > self._max:
            piece, self._partial = self._partial[: self._max], self._partial[self._max :]
            yield self._piece(piece)

    def rest(self) -> Iterator[Line]:
        """Yield a last line without newline."""
        data, self._partial = self._partial, b""
        if data:
            yield from self._finish(data, newline=False)

    def _finish(self, data: bytes, *, newline: bool) -> Iterator[Line]:
        if not self._inside_long_line and len(data) <= self._max:
            yield self._line(data, newline=newline, too_long=False)
            return
        while len(data) > self._max:
            yield self._piece(data[: self._max])
            data = data[self._max :]
        last = self._line(data, newline=newline, too_long=True)
        self._inside_long_line = False
        if last.data:
            yield last

    def _piece(self, data: bytes) -> Line:
        self._inside_long_line = True
        return self._line(data, newline=False, too_long=True)

    def _line(self, data: bytes, *, newline: bool, too_long: bool) -> Line:
        offset, self._start = self._start, self._start + len(data) + newline
        return Line(offset, self._start, data if too_long else data.removesuffix(b"\r"), too_long)
