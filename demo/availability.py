"""What the storefront knows of stock: a copy that is asked for anew when it is old, and shown stale when it must be."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from typing import Final

from demo.downstream import Downstream
from demo.errors import DependencyError

FRESH_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 2.0


class Availability:
    """Units in stock by product, at most FRESH_SECONDS old as long as orders answers."""

    def __init__(self, orders: Downstream, logger: logging.Logger) -> None:
        self._orders, self._logger = orders, logger
        self._levels: dict[int, int] = {}
        self._read_at: float | None = None
        self._next = 0.0
        self._lock = asyncio.Lock()

    async def of(self, product: int) -> int | None:
        """Return the units in stock, None when unknown; refreshes first when due.

        One refresh at a time; meanwhile others get the old levels, or wait when there are none.
        """
        if monotonic() >= self._next and (self._read_at is None or not self._lock.locked()):
            async with self._lock:
                if monotonic() >= self._next:
                    await self._refresh()
        return self._levels.get(product)

    async def _refresh(self) -> None:
        try:
            response = await self._orders.call("GET", "/availability")
        except DependencyError as error:
            self._next = monotonic() + RETRY_SECONDS
            self._logger.warning("availability not refreshed, showing %s: %s", self._age(), error)
            return
        self._levels = {int(product): units for product, units in response.json().items()}
        self._read_at = monotonic()
        self._next = self._read_at + FRESH_SECONDS
        self._logger.info("availability refreshed: %d products", len(self._levels))

    def _age(self) -> str:
        return "none" if self._read_at is None else f"levels {monotonic() - self._read_at:.0f} s old"
