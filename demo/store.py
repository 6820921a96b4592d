"""One SQLite file per service: all access from one thread, so that the event loop never waits for the disk."""

from __future__ import annotations

import asyncio
import logging
import random
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Final, TypeVar

from demo.errors import StoreUnavailable
from demo.latency import draw_wait

T = TypeVar("T")

SLOW_QUERY_SECONDS: Final = 0.060
BUSY_TIMEOUT_SECONDS: Final = 1.0
HEALTH_SECONDS: Final = 1.5  # above the busy time-out, so that a lock is named as one


class Store:
    """A SQLite file in WAL mode. `run` is one transaction: all of its work is stored, or none."""

    def __init__(self, path: Path, schema: str, rng: random.Random, logger: logging.Logger) -> None:
        self._rng, self._logger = rng, logger
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._connection = self._thread.submit(_connect, path, schema).result()

    async def run(self, name: str, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return `work(connection)` done in a write transaction; a slow one is logged.

        Raises StoreUnavailable when SQLite reports an error (locked beyond the busy time-out, disk full, damaged).
        """
        started = perf_counter()
        await asyncio.sleep(draw_wait(self._rng))
        try:
            result = await self._submit(lambda: _transact(self._connection, work))
        except sqlite3.Error as error:
            text = f"query {name} failed: {type(error).__name__}: {error}"
            raise StoreUnavailable(text) from error
        seconds = perf_counter() - started
        if seconds > SLOW_QUERY_SECONDS:
            text = "store answered slowly: %.0f ms, expected below %.0f ms"
            self._logger.warning(text, seconds * 1000, SLOW_QUERY_SECONDS * 1000, extra={"query": name})
        return result

    async def check(self) -> str:
        """Return "ok", or why the store cannot be written now."""
        try:
            await asyncio.wait_for(self._submit(lambda: _transact(self._connection, _touch)), HEALTH_SECONDS)
        except sqlite3.Error as error:
            return f"{type(error).__name__}: {error}"
        except TimeoutError:
            return f"no answer within {HEALTH_SECONDS:g} s"
        return "ok"

    def close(self) -> None:
        """Finish what is running and close the file."""
        self._thread.submit(self._connection.close).result()
        self._thread.shutdown()

    def _submit(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, work)


def _connect(path: Path, schema: str) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.executescript(schema)
    return connection


def _transact(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after some errors (disk full, for one).
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _touch(connection: sqlite3.Connection) -> None:
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
