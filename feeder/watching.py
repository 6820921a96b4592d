"""All files of all sources: follow them, through rotation and restarts, and remember how far each was acknowledged."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Final

from feeder.finding import Key, Refusals, find_files, key_of, names_in, open_regular, rotations_in
from feeder.lines import Line
from feeder.offsets import Acknowledged, StoredOffset
from feeder.sources import FileSource
from feeder.tail import FileIdentity, TailedFile, start_of_last_line

logger = logging.getLogger(__name__)

# Without a new byte for so long a file is done with that was deleted, or replaced by one of the same name: a writer
# may hold it open for a while, and its last line may lack its end.
ROTATED_QUIET_SECONDS: Final = 30.0
# The same for a file that was only renamed: until a new one takes its name, its writer still has this one.
RENAMED_QUIET_SECONDS: Final = 3600.0
# Files are looked for, and then offsets saved, twice a second; a file that is older than the last time, with room for
# coarse clocks, was either known then or rotated before this feeder ever ran.
LOOK_SLACK_SECONDS: Final = 2.0
MAX_REMEMBERED: Final = 1000  # files finished whose offset is kept: their new name may match a pattern, too


@dataclass
class Watched:
    """A tailed file with its source and its acknowledgements."""

    source: FileSource
    file: TailedFile
    acknowledged: Acknowledged
    quiet_since: float  # on the watcher's clock
    quiet_offset: int = -1

    def stored(self, *, finished: bool = False) -> StoredOffset:
        """Return how far the file was acknowledged, to be saved."""
        return StoredOffset(self.file.path, self.file.identity, self.acknowledged.offset, finished)


@dataclass(frozen=True)
class Read:
    """A line together with the file it came from."""

    watched: Watched
    line: Line


class Watcher:
    """Follows every file the sources' patterns match; memory is bounded by the number of files and their lines."""

    def __init__(  # noqa: PLR0913 - what is read, what is known of it, and what a test sets
        self,
        sources: Sequence[FileSource],
        stored: Sequence[StoredOffset],
        max_line_bytes: int,
        *,
        saved_at: float = float("inf"),
        refusals: Refusals | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._sources = sources
        self._stored: dict[Key, StoredOffset] = {offset.identity.key: offset for offset in stored}
        self._known_paths = {offset.path for offset in stored}
        self._saved_at = saved_at
        self._max_line_bytes = max_line_bytes
        self._refusals = refusals or Refusals()
        self._clock = clock
        self._watched: dict[Key, Watched] = {}
        self._first_look = True

    def look(self) -> bool:
        """Open new files, notice rotated ones; True when `offsets` has to be saved before a line is sent.

        A file that is rotated away while nobody watches is found again by its stored identity only.
        """
        before = set(self._watched)
        found = find_files(self._sources, self._refusals)
        if self._first_look:
            self._resume_rotated(found)
            self._follow_unseen_rotations(found)
        for path, source in found.items():
            if key_of(path) not in self._watched:
                self._open(path, source, path)
        if self._first_look:
            self._report_gone()
        self._first_look = False
        return not before.issuperset(self._watched)

    def read_round(self) -> Iterator[Read]:
        """Yield what each file has to give this round, at most tail.CHUNK_BYTES of each."""
        for key, watched in list(self._watched.items()):
            try:
                yield from self._read(watched)
                if self._is_finished(watched):
                    yield from self._finish(key, watched)
            except OSError as error:
                self._refusals.say(watched.file.path, watched.source, f"reading failed ({error.strerror})")

    def _read(self, watched: Watched) -> Iterator[Read]:
        if watched.file.was_rewritten():
            for line in watched.file.read_rest():
                yield Read(watched, line)
            logger.info("truncated, starting again", extra={"path": watched.file.path})
            watched.file.start_again()
            # Acknowledgements under way belong to bytes that are gone; they must not move the new offset.
            watched.acknowledged = Acknowledged(0)
        for line in watched.file.read_lines():
            yield Read(watched, line)

    def _is_finished(self, watched: Watched) -> bool:
        file, now = watched.file, self._clock()
        current = key_of(file.path)
        if current == file.key or file.read_offset != watched.quiet_offset or file.unread_bytes:
            watched.quiet_since, watched.quiet_offset = now, file.read_offset
            return False
        gone = current is not None or file.is_deleted
        return now - watched.quiet_since > (ROTATED_QUIET_SECONDS if gone else RENAMED_QUIET_SECONDS)

    def _finish(self, key: Key, watched: Watched) -> Iterator[Read]:
        for line in watched.file.read_rest():
            yield Read(watched, line)
        if watched.acknowledged.pending == 0:
            self._stored.pop(key, None)
            if not watched.file.is_deleted:  # the inode of a deleted file may become another one
                self._remember(watched.stored(finished=True))
            watched.file.close()
            del self._watched[key]
            logger.info("finished a rotated file", extra={"path": watched.file.path})

    def _remember(self, offset: StoredOffset) -> None:
        self._stored[offset.identity.key] = offset  # last: the oldest is forgotten first
        finished = [key for key, stored in self._stored.items() if stored.finished]
        for key in finished[: max(0, len(finished) - MAX_REMEMBERED)]:
            del self._stored[key]

    def _resume_rotated(self, found: dict[str, FileSource]) -> None:
        """Find again, under whatever name in their folder, the files that were rotated while nobody watched."""
        names = {folder: names_in(folder) for folder in {Path(path).parent for path in self._known_paths}}
        for key, stored in self._stored.items():
            path = names[Path(stored.path).parent].get(key)
            source = found.get(stored.path) or self._source_of(stored.path)
            # An empty file has no fingerprint: under a name of its own it may be another one with the same inode.
            unsure = stored.identity.fingerprint_bytes == 0 and path in found
            if path is not None and source is not None and not unsure:
                self._open(path, source, stored.path, stored.identity)

    def _follow_unseen_rotations(self, found: dict[str, FileSource]) -> None:
        """Read the files that were begun and rotated away while nobody watched, and copies of those truncated then."""
        for known in self._known_paths:
            source = found.get(known) or self._source_of(known)
            folder, name = Path(known).parent, Path(known).name
            for path in rotations_in(folder, name, self._saved_at - LOOK_SLACK_SECONDS) if source else ():
                if source is not None and path not in found and key_of(path) not in self._watched:
                    self._open(path, source, known)

    def _source_of(self, path: str) -> FileSource | None:
        return next((source for source in self._sources if Path(path).match(source.pattern)), None)

    def _open(self, path: str, source: FileSource, logical_path: str, expected: FileIdentity | None = None) -> None:
        """Follow a file; not when it is followed already (it was renamed just now) or not the expected one."""
        try:
            descriptor = open_regular(path)
        except FileNotFoundError:
            return
        except OSError as error:
            self._refusals.say(path, source, f"cannot be opened ({error.strerror}); tried again all the time")
            return
        self._refusals.forget(path)
        status = os.fstat(descriptor)
        known = (status.st_dev, status.st_ino) in self._watched
        if known or (expected is not None and not expected.is_of(descriptor)):
            os.close(descriptor)
            return
        offset = self._start_of(descriptor, source, logical_path)
        file = TailedFile(logical_path, descriptor, offset, self._max_line_bytes)
        self._watched[file.key] = Watched(source, file, Acknowledged(offset), self._clock())
        logger.info("following", extra={"path": path, "as": logical_path, "offset": offset})

    def _start_of(self, descriptor: int, source: FileSource, path: str) -> int:
        identity = FileIdentity.of(descriptor)
        stored = self._stored.get(identity.key)
        if stored is not None and stored.identity.is_of(descriptor):
            return stored.offset if stored.offset <= os.fstat(descriptor).st_size else 0
        # What took the place of a file that was followed is all new, whenever it came.
        if source.from_end and self._first_look and path not in self._known_paths:
            return start_of_last_line(descriptor, self._max_line_bytes)
        return 0

    def _report_gone(self) -> None:
        for key, stored in self._stored.items():
            if key not in self._watched and not stored.finished:
                logger.warning(
                    "gone since the last run, or no source names it now; lines behind the offset are not read",
                    extra={"path": stored.path, "offset": stored.offset},
                )
                self._stored[key] = replace(stored, finished=True)

    def offsets(self) -> list[StoredOffset]:
        """Return how far each file was acknowledged, to be saved."""
        return list((self._stored | {key: watched.stored() for key, watched in self._watched.items()}).values())

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
