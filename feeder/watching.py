"""All files of all sources: find them, follow them, remember how far each was acknowledged."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Final

from feeder.offsets import Acknowledged, StoredOffset
from feeder.sources import FileSource
from feeder.tail import FileIdentity, Line, TailedFile

logger = logging.getLogger(__name__)

# Rounds without a new byte after which a rotated file counts as finished: its writer may hold it open for a while.
ROTATED_QUIET_ROUNDS: Final = 20
MAX_REMEMBERED: Final = 1000  # files no longer followed whose offset is kept


@dataclass
class Watched:
    """A tailed file with its source and its acknowledgements."""

    source: FileSource
    file: TailedFile
    acknowledged: Acknowledged


@dataclass(frozen=True)
class Read:
    """A line together with the file it came from."""

    watched: Watched
    line: Line


class Watcher:
    """Follows every file the sources' patterns match; memory is bounded by the number of files and their lines."""

    def __init__(self, sources: Sequence[FileSource], stored: Sequence[StoredOffset], max_line_bytes: int) -> None:
        self._sources = sources
        self._stored = deque(stored, maxlen=MAX_REMEMBERED)
        self._max_line_bytes = max_line_bytes
        self._watched: dict[tuple[int, int], Watched] = {}
        self._first_look = True

    def read_round(self) -> Iterator[Read]:
        """Look for new and rotated files, then yield what each file has to give this round."""
        self._look()
        for key, watched in list(self._watched.items()):
            for line in watched.file.read_lines():
                yield Read(watched, line)
            if watched.file.rotated and watched.file.quiet_rounds > ROTATED_QUIET_ROUNDS:
                for line in watched.file.read_rest():
                    yield Read(watched, line)
                self._forget_when_acknowledged(key, watched)

    def _look(self) -> None:
        found = {path: source for source in self._sources for path in sorted(glob(source.pattern))}  # noqa: PTH207
        if self._first_look:
            self._resume_rotated(found)
        for path, source in found.items():
            self._follow(path, source)
        present = {key for path in found if (key := _key_of(path)) is not None}
        for key, watched in self._watched.items():
            watched.file.rotated = key not in present or _key_of(watched.file.path) != key
        self._first_look = False

    def _resume_rotated(self, found: dict[str, FileSource]) -> None:
        """Find again, under whatever name, the files that were rotated while nobody watched."""
        for stored in self._stored:
            source = found.get(stored.path) or self._source_of(stored.path)
            if source is None:
                continue
            for path in sorted(Path(stored.path).parent.glob("*")):
                if _key_of(str(path)) == (stored.identity.device, stored.identity.inode):
                    self._open(str(path), source, stored.path)

    def _source_of(self, path: str) -> FileSource | None:
        return next((source for source in self._sources if Path(path).match(source.pattern)), None)

    def _follow(self, path: str, source: FileSource) -> None:
        key = _key_of(path)
        if key is not None and key not in self._watched:
            self._open(path, source, path)

    def _open(self, path: str, source: FileSource, logical_path: str) -> None:
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            logger.warning("cannot open, will try again", extra={"path": path, "error": str(error)})
            return
        offset = self._start_of(descriptor, source)
        file = TailedFile(logical_path, descriptor, offset, self._max_line_bytes)
        self._watched[file.key] = Watched(source, file, Acknowledged(offset))
        logger.info("following", extra={"path": path, "as": logical_path, "offset": offset})

    def _start_of(self, descriptor: int, source: FileSource) -> int:
        size = os.fstat(descriptor).st_size
        for stored in self._stored:
            if stored.identity.is_of(descriptor):
                return stored.offset if stored.offset <= size else 0
        return size if source.from_end and self._first_look else 0

    def _forget_when_acknowledged(self, key: tuple[int, int], watched: Watched) -> None:
        if watched.acknowledged.pending == 0:
            self._stored.append(_stored_offset(watched))  # its new name may match a pattern, too
            watched.file.close()
            del self._watched[key]
            logger.info("finished a rotated file", extra={"path": watched.file.path})

    def offsets(self) -> list[StoredOffset]:
        """Return how far each file was acknowledged, to be saved."""
        followed = [_stored_offset(watched) for watched in self._watched.values()]
        inodes = {(o.identity.device, o.identity.inode) for o in followed}
        return [o for o in self._stored if (o.identity.device, o.identity.inode) not in inodes] + followed

    @property
    def files(self) -> int:
        """Files being followed."""
        return len(self._watched)

    @property
    def unread_bytes(self) -> int:
        """Bytes written to followed files and not read yet."""
        return sum(watched.file.unread_bytes for watched in self._watched.values())

    def close(self) -> None:
        """Close every file."""
        for watched in self._watched.values():
            watched.file.close()
        self._watched.clear()


def _stored_offset(watched: Watched) -> StoredOffset:
    identity = FileIdentity.of(watched.file.descriptor)
    return StoredOffset(watched.file.path, identity, watched.acknowledged.offset)


def _key_of(path: str) -> tuple[int, int] | None:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
