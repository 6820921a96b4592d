"""Follow one file through growth, rotation by rename, truncation and removal; only whole lines leave it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from feeder.lines import Line, LineSplitter

CHUNK_BYTES: Final = 256 * 1024  # read per file and round, so that one busy file does not starve the others
# Tells files apart that begin alike: a start-up banner is shorter than this, or followed by a time.
FINGERPRINT_BYTES: Final = 1024


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
        status = os.fstat(descriptor)
        return cls.of_head((status.st_dev, status.st_ino), os.pread(descriptor, length, 0))

    @classmethod
    def of_head(cls, key: tuple[int, int], head: bytes) -> FileIdentity:
        """Return the identity of the file with this device and inode that begins with `head`."""
        return cls(*key, sha256(head).hexdigest()[:16], len(head))

    @property
    def key(self) -> tuple[int, int]:
        """Device and inode."""
        return self.device, self.inode

    def is_of(self, descriptor: int) -> bool:
        """True when the open file is this one, grown or not."""
        return FileIdentity.of(descriptor, self.fingerprint_bytes) == self


class TailedFile:
    """One open file; `path` is the one it was written under, whatever its name is now."""

    def __init__(self, path: str, descriptor: int, offset: int, max_line_bytes: int) -> None:
        self.path = path
        self.descriptor = descriptor
        status = os.fstat(descriptor)
        self.key = (status.st_dev, status.st_ino)
        self._head = os.pread(descriptor, FINGERPRINT_BYTES, 0)
        self._max = max_line_bytes
        self._splitter = LineSplitter(offset, max_line_bytes, inside_long_line=self._is_inside_long_line(offset))

    def _is_inside_long_line(self, offset: int) -> bool:
        """True when reading goes on after a piece of a long line: pieces are as long as a line may be."""
        return offset >= self._max and b"\n" not in os.pread(self.descriptor, self._max, offset - self._max)

    @property
    def identity(self) -> FileIdentity:
        """What the bytes read so far belong to; not what the file may have become since."""
        return FileIdentity.of_head(self.key, self._head)

    @property
    def read_offset(self) -> int:
        """Bytes read so far, a line not finished yet included."""
        return self._splitter.read_offset

    @property
    def unread_bytes(self) -> int:
        """Bytes written and not read yet."""
        return max(0, os.fstat(self.descriptor).st_size - self.read_offset)

    @property
    def is_deleted(self) -> bool:
        """True when no name leads to the file any more."""
        return os.fstat(self.descriptor).st_nlink == 0

    def was_rewritten(self) -> bool:
        """True when the file was truncated since the last call, even if it has grown past its old size already."""
        head = os.pread(self.descriptor, FINGERPRINT_BYTES, 0)
        if not head.startswith(self._head) or os.fstat(self.descriptor).st_size < self.read_offset:
            return True
        self._head = head
        return False

    def start_again(self) -> None:
        """Go on at the beginning of a file that was truncated."""
        self._splitter = LineSplitter(0, self._max)
        self._head = os.pread(self.descriptor, FINGERPRINT_BYTES, 0)

    def read_lines(self) -> Iterator[Line]:
        """Yield the lines that at most CHUNK_BYTES more bytes complete."""
        yield from self._splitter.feed(os.pread(self.descriptor, CHUNK_BYTES, self.read_offset))

    def read_rest(self) -> Iterator[Line]:
        """Yield a last line without newline: nobody will finish it once the file was rotated away or truncated."""
        yield from self._splitter.rest()

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.descriptor)


def start_of_last_line(descriptor: int, max_line_bytes: int) -> int:
    """Return the offset to begin at when only what is written from now on counts; a line half written counts."""
    size = os.fstat(descriptor).st_size
    window = os.pread(descriptor, min(size, max_line_bytes), max(0, size - max_line_bytes))
    newline = window.rfind(b"\n")
    if newline >= 0:
        return size - len(window) + newline + 1
    return 0 if size <= max_line_bytes else size
