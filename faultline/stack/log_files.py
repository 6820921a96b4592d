"""Show the end of a program's log, and follow it across rotation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import sleep

BLOCK_BYTES = 64 * 1024


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last `count` lines, reading backwards in blocks; an absent file has none."""
    if count <= 0 or not path.is_file():
        return []
    with path.open("rb") as file:
        end = file.seek(0, 2)
        tail = b""
        while end > 0 and tail.count(b"\n") <= count:
            size = min(BLOCK_BYTES, end)
            end -= size
            file.seek(end)
            tail = file.read(size) + tail
    return tail.decode("utf-8", "replace").splitlines()[-count:]


def follow(path: Path, poll_seconds: float = 0.2) -> Iterator[str]:
    """Yield text as it is appended, for ever; begins again at 0 when the file is replaced or cut."""
    position = path.stat().st_size if path.exists() else 0
    inode = path.stat().st_ino if path.exists() else 0
    while True:
        if path.exists():
            state = path.stat()
            if state.st_ino != inode or state.st_size < position:
                inode, position = state.st_ino, 0
            with path.open("rb") as file:
                file.seek(position)
                block = file.read()
            position += len(block)
            if block:
                yield block.decode("utf-8", "replace")
        sleep(poll_seconds)
