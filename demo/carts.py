"""Shopping carts in a SQLite file: they outlive the instance that filled them; the oldest unused are dropped."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Final

from demo.errors import StoreUnavailable

MAX_CARTS: Final = 5_000
MAX_QUANTITY: Final = 20
BUSY_TIMEOUT_SECONDS: Final = 1.0
# The greatest id is the cart that was used last: each change gives a cart a new one.
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS carts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, customer INTEGER NOT NULL UNIQUE, items TEXT NOT NULL
);
"""
_DROP_OLDEST: Final = "DELETE FROM carts WHERE id IN (SELECT id FROM carts ORDER BY id DESC LIMIT -1 OFFSET ?)"

Cart = dict[int, int]  # product id -> quantity


class Carts:
    """Carts by customer, at most `limit` of them; without a path in memory.

    Every call takes tens of microseconds and waits for no disk: what the machine forgets in a power cut are carts.
    All raise StoreUnavailable when SQLite reports an error.
    """

    def __init__(self, path: Path | None = None, limit: int = MAX_CARTS) -> None:
        self._limit = limit
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path or ":memory:", timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript(SCHEMA)

    def __len__(self) -> int:
        return int(self._run("SELECT count(*) FROM carts")[0][0])

    def of(self, customer: int) -> Cart:
        """Return a copy of the customer's cart, empty when there is none."""
        rows = self._run("SELECT items FROM carts WHERE customer = ?", customer)
        return {int(product): quantity for product, quantity in json.loads(rows[0][0]).items()} if rows else {}

    def add(self, customer: int, product: int, quantity: int) -> Cart:
        """Add to the cart, at most MAX_QUANTITY of a product; return a copy of the cart."""
        cart = self.of(customer)
        cart[product] = min(cart.get(product, 0) + quantity, MAX_QUANTITY)
        self._run("REPLACE INTO carts (customer, items) VALUES (?, ?)", customer, json.dumps(cart))
        self._run(_DROP_OLDEST, self._limit)
        return cart

    def clear(self, customer: int) -> None:
        """Forget the customer's cart."""
        self._run("DELETE FROM carts WHERE customer = ?", customer)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _run(self, statement: str, *values: object) -> list[tuple[str]]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"carts cannot be read or written: {type(error).__name__}: {error}") from error
