"""Follow one file through growth, rotation by rename, truncation and removal; only whole lines leave it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

CHUNK_BYTES: Final = 256 * 1024  # read per file and round, so that one busy file does not starve the others
FINGERPRINT_BYTES: Final = 256


@dataclass(frozen=True)
class Line:
    """Bytes between two newlines; `end` is where the next line starts."""

    offset: int
    end: int
    data: bytes
    too_long: bool = False  # a piece of a line above the limit; pieces follow each other without a gap


@dataclass(frozen=True)
class FileIdentity:
    """What stays when a file is renamed. The fingerprint tells when an inode was used again for another file."""

    device: int
    inode: int
    fingerprint: str
    fingerprint_bytes: int

    @classmethod
    def of(cls, descriptor: int, length: int = FINGERPRINT_BYTES) -> FileIdentity:
        """Read the identity of an open file from its first `length` bytes."""
        head = os.pread(descriptor, length, 0)
        status = os.fstat(descriptor)
        return cls(status.st_dev, status.st_ino, sha256(head).hexdigest()[:16], len(head))

    def is_of(self, descriptor: int) -> bool:
        """True when the open file is this one, grown or not."""
        return FileIdentity.of(descriptor, self.fingerprint_bytes) == self


class TailedFile:
    """One open file; `path` is the one it was written under, whatever its name is now."""

    def __init__(self, path: str, descriptor: int, offset: int, max_line_bytes: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self.rotated = False
        self.quiet_rounds = 0
        self._max = max_line_bytes
        self._inside_long_line = False
        self._set_position(offset)

    def _set_position(self, offset: int) -> None:
        self._start = offset  # of the line whose beginning is in `_partial`
        self._partial = b""
        self._inside_long_line = False

    @property
    def key(self) -> tuple[int, int]:
        """Device and inode."""
        status = os.fstat(self.descriptor)
        return status.st_dev, status.st_ino

    @property
    def read_offset(self) -> int:
        """Bytes read so far, a line not finished yet included."""
        return self._start + len(self._partial)

    @property
    def unread_bytes(self) -> int:
        """Bytes written and not read yet."""
        return max(0, os.fstat(self.descriptor).st_size - self.read_offset)

    def read_lines(self) -> Iterator[Line]:
        """Yield the lines that at most CHUNK_BYTES more bytes complete; start again when the file was truncated."""
        if os.fstat(self.descriptor).st_size < self.read_offset:
            self._set_position(0)
        chunk = os.pread(self.descriptor, CHUNK_BYTES, self.read_offset)
        self.quiet_rounds = 0 if chunk else self.quiet_rounds + 1
        *whole, self._partial = (self._partial + chunk).split(b"\n")
        for data in whole:
            yield from self._finish(data, newline=True)
        while len(self._partial) > self._max:
            yield self._piece(self._partial[: self._max])
            self._partial = self._partial[self._max :]

    def read_rest(self) -> Iterator[Line]:
        """Yield a last line without newline: nobody will finish it once the file was rotated away."""
        data, self._partial = self._partial, b""
        if data:
            yield from self._finish(data, newline=False)

    def _finish(self, data: bytes, *, newline: bool) -> Iterator[Line]:
        if self._inside_long_line or len(data) > self._max:
            while len(data) > self._max:
                yield self._piece(data[: self._max])
                data = data[self._max :]
            last = self._line(data, newline=newline, too_long=True)
            self._inside_long_line = False
            if last.end > last.offset:
                yield last
            return
        yield self._line(data, newline=newline, too_long=False)

    def _piece(self, data: bytes) -> Line:
        self._inside_long_line = True
        return self._line(data, newline=False, too_long=True)

    def _line(self, data: bytes, *, newline: bool, too_long: bool) -> Line:
        offset, self._start = self._start, self._start + len(data) + newline
        return Line(offset, self._start, data if too_long else data.removesuffix(b"\r"), too_long)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.descriptor)
