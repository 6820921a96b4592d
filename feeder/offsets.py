"""How far the broker has acknowledged each file: the place to go on from after any end."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from faultline.errors import FaultlineError
from feeder.tail import FileIdentity


class OffsetsUnreadable(FaultlineError):
    """The offsets file is damaged; going on without it would send or skip lines silently."""


class OffsetsUnwritable(FaultlineError):
    """The offsets file cannot be written; after an end every line since the last write would come again."""


@dataclass(frozen=True)
class StoredOffset:
    """One file of the offsets file; `finished` when it was rotated away and nothing more was expected of it."""

    path: str
    identity: FileIdentity
    offset: Annotated[int, msgspec.Meta(ge=0)]
    finished: bool = False


class Acknowledged:
    """The end of the longest run of acknowledged lines of one file; acknowledgements come in any order."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self._pending: deque[list[int]] = deque()  # [end, 1 when acknowledged], in the order of the file

    def sent(self, end: int) -> list[int]:
        """Note a line that was handed to the producer; give the result to `acknowledge`."""
        entry = [end, 0]
        self._pending.append(entry)
        return entry

    def acknowledge(self, entry: list[int]) -> None:
        """Note that the broker has the line."""
        entry[1] = 1
        while self._pending and self._pending[0][1]:
            self.offset = self._pending.popleft()[0]

    @property
    def pending(self) -> int:
        """Lines handed over and not acknowledged yet."""
        return len(self._pending)


def load_offsets(state: Path) -> list[StoredOffset]:
    """Read what `save_offsets` wrote; nothing when there is no file. Raises OffsetsUnreadable."""
    try:
        return msgspec.json.decode(state.read_bytes(), type=list[StoredOffset])
    except FileNotFoundError:
        return []
    except OSError as error:
        raise OffsetsUnreadable(
            f"{state}: cannot be read ({error.strerror}); make it readable for this user"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        text = (
            f"{state}: not an offsets file ({error}); move it away to read all watched files from their beginning"
            " (lines sent before come again with the same event_id)"
        )
        raise OffsetsUnreadable(text) from error


def saved_at(state: Path) -> float:
    """Return when the offsets file was written, in seconds since 1970; infinity when there is none."""
    try:
        return state.stat().st_mtime
    except OSError:
        return float("inf")


def save_offsets(state: Path, offsets: list[StoredOffset]) -> None:
    """Replace the offsets file in one step: after a crash it is the old or the new one, whole.

    Raises OffsetsUnwritable; the old file is still there then.
    """
    work = state.with_suffix(".new")
    try:
        state.parent.mkdir(parents=True, exist_ok=True)
        with work.open("wb") as file:
            file.write(msgspec.json.encode(offsets))
            file.flush()
            os.fsync(file.fileno())
        work.replace(state)
    except OSError as error:
        text = f"{state}: cannot be written ({error.strerror}); make room, or let this user write to {state.parent}"
        raise OffsetsUnwritable(text) from error
