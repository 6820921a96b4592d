"""Find the files that the sources name, and open them: regular files only, each refusal said once."""

from __future__ import annotations

import errno
import logging
import os
import re
import resource
import stat
from collections.abc import Callable, Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import Final

from faultline.records import SourceType
from feeder.sources import FileSource

logger = logging.getLogger(__name__)

COMPRESSED: Final = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip")
MAX_OPEN_FILES: Final = 65_536

_ROTATION: Final = r"(?:\d[\d._:TZ-]*|old|bak|prev)"
Key = tuple[int, int]  # device and inode


class Refusals:
    """Says once, and counts each time, why a path is not read; `failed` gets the source type."""

    def __init__(self, failed: Callable[[SourceType], None] = lambda _: None) -> None:
        self._failed = failed
        self._said: dict[str, str] = {}

    def say(self, path: str, source: FileSource, reason: str) -> None:
        """Log the reason unless it is the one that was given for the path the last time."""
        self._failed(source.source_type)
        self._log_once(path, source, reason)

    def skip(self, path: str, source: FileSource, reason: str) -> None:
        """Log why a path is left out on purpose; that is no failure."""
        self._log_once(path, source, reason)

    def _log_once(self, path: str, source: FileSource, reason: str) -> None:
        if self._said.get(path) != reason:
            self._said[path] = reason
            logger.warning("not read: %s", reason, extra={"path": path, "source_type": source.source_type.value})

    def forget(self, path: str) -> None:
        """Note that the path can be read now."""
        self._said.pop(path, None)


def find_files(sources: Sequence[FileSource], refusals: Refusals) -> dict[str, FileSource]:
    """Return path -> source for every path that a pattern matches now; of two sources the first has it."""
    found: dict[str, FileSource] = {}
    for source in sources:
        paths = sorted(glob(source.pattern))  # noqa: PTH207 - Path.glob takes no absolute pattern
        if not paths:
            _explain_nothing(source, refusals)
        for path in paths:
            if reason := _unsuitable(path):
                refusals.skip(path, source, reason)
            else:
                found.setdefault(path, source)
    return found


def _explain_nothing(source: FileSource, refusals: Refusals) -> None:
    """glob is silent about folders that it may not list."""
    folder = Path(source.pattern).parent
    while has_magic(str(folder)):
        folder = folder.parent
    try:
        os.scandir(folder).close()
    except PermissionError as error:
        refusals.say(str(folder), source, f"the folder cannot be listed ({error.strerror}); let this user read it")
    except OSError:
        pass  # not there yet: its files are read when they appear
    else:
        refusals.forget(str(folder))


def _unsuitable(path: str) -> str:
    if path.endswith(COMPRESSED):
        return "a compressed file; narrow the pattern, or send it with python -m feeder.replay"
    try:
        path.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8; rename it"
    return ""


def open_regular(path: str) -> int:
    """Return a descriptor for reading; raises OSError when the path is none of a regular file (or not readable)."""
    # Without O_NONBLOCK the open of a named pipe would wait for a writer, and every other file with it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file; narrow the pattern", path)
    return descriptor


def key_of(path: str) -> Key | None:
    """Return device and inode of what the path leads to, None when it leads nowhere."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def names_in(folder: Path) -> dict[Key, str]:
    """Return device and inode -> path for everything in a folder; nothing when it cannot be listed."""
    try:
        paths = sorted(str(path) for path in folder.iterdir())
    except OSError:
        return {}
    return {key: path for path in paths if (key := key_of(path)) is not None}


def rotations_in(folder: Path, name: str, since: float) -> list[str]:
    """Return the paths that a file `name` may have been rotated to and that were written at or after `since`.

    That is NAME.1, NAME-20260131, NAME.old, and STEM-2026-01-31.log or STEM.1.log for STEM.log; `since` in seconds
    since 1970. The oldest comes first.
    """
    stem, dot, suffix = name.rpartition(".")
    forms = [rf"{re.escape(name)}[._-]{_ROTATION}"]
    if stem:
        forms.append(rf"{re.escape(stem)}[._-]{_ROTATION}{re.escape(dot + suffix)}")
    found = []
    for path in names_in(folder).values():
        if re.fullmatch("|".join(forms), Path(path).name) and (written := _written_at(path)) >= since:
            found.append((written, path))
    return [path for _, path in sorted(found)]


def _written_at(path: str) -> float:
    try:
        return Path(path).stat().st_mtime
    except OSError:
        return float("-inf")


def allow_many_open_files() -> int:
    """Raise the soft limit of open files as far as the hard one allows, and return it: each tailed file is open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit
