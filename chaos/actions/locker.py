"""Hold the write lock of a SQLite file until ended: `python -m chaos.actions.locker FILE`."""

from __future__ import annotations

import signal
import sqlite3
import sys
from typing import Final

PATIENCE_SECONDS: Final = 30.0  # until the lock is ours: the service takes it many times a second


def lock(path: str) -> sqlite3.Connection:
    """Return a connection within a write transaction that changes nothing; it ends with the process."""
    connection = sqlite3.connect(f"file:{path}?mode=rw", timeout=PATIENCE_SECONDS, isolation_level=None, uri=True)
    connection.execute("BEGIN EXCLUSIVE")
    return connection


if __name__ == "__main__":
    held = lock(sys.argv[1])
    signal.sigwait([signal.SIGUSR1])  # SIGTERM ends the process, and the lock with it
