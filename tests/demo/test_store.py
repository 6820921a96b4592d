import asyncio
import logging
import random
import sqlite3

import pytest

from demo import latency
from demo.errors import StoreUnavailable
from demo.store import Store

SCHEMA = "CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY)"


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path / "shop" / "t.db", SCHEMA, random.Random(1), logging.getLogger("shop.test"))
    yield opened
    opened.close()


@pytest.fixture
def lock(tmp_path, store):
    """A write lock on the store's file, held by somebody else."""
    other = sqlite3.connect(tmp_path / "shop" / "t.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


def insert(number):
    return lambda db: db.execute("INSERT INTO t VALUES (?)", (number,)).rowcount


def count(db):
    return db.execute("SELECT count(*) FROM t").fetchone()[0]


def test_work_is_stored_in_write_ahead_mode(tmp_path, store):
    assert asyncio.run(store.run("insert", insert(1))) == 1
    with sqlite3.connect(tmp_path / "shop" / "t.db") as other:
        assert count(other) == 1
        assert other.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    other.close()


def test_failed_work_leaves_nothing_behind(store):
    def insert_then_fail(db):
        insert(1)(db)
        insert(1)(db)

    with pytest.raises(StoreUnavailable, match=r"query twice failed: IntegrityError: UNIQUE constraint failed: t\.n"):
        asyncio.run(store.run("twice", insert_then_fail))
    assert asyncio.run(store.run("count", count)) == 0


def test_locked_file_is_named(store, lock):
    with pytest.raises(StoreUnavailable, match="query insert failed: OperationalError: database is locked") as caught:
        asyncio.run(store.run("insert", insert(1)))
    assert caught.value.status == 503
    assert asyncio.run(store.check()) == "OperationalError: database is locked"
    lock.execute("ROLLBACK")
    assert asyncio.run(store.check()) == "ok"


def test_slow_answer_is_logged(store, caplog, monkeypatch):
    monkeypatch.setattr("demo.store.draw_wait", lambda rng: latency.SLOW_SECONDS[0])
    asyncio.run(store.run("count", count))
    [record] = caplog.records
    assert record.getMessage().startswith("store answered slowly: ")
    assert record.query == "count"
