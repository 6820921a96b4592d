"""Inventory: stock levels, reservations keyed by order, and deliveries that fill up what runs low."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import AsyncExitStack, suppress
from time import time
from typing import Annotated, Final

from fastapi import FastAPI
from prometheus_client import Gauge
from pydantic import BaseModel, Field

from demo.catalogue import CATALOGUE
from demo.errors import Refused, StoreUnavailable
from demo.service import Service, build_app
from demo.stock import DELIVERY_UNITS, INITIAL_UNITS, REORDER_POINT, Reservation, describe_shortages, plan_reservation
from demo.store import Store

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS stock (product INTEGER PRIMARY KEY, units INTEGER NOT NULL CHECK (units >= 0));
CREATE TABLE IF NOT EXISTS reservations (order_id INTEGER PRIMARY KEY, items TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (product INTEGER PRIMARY KEY, units INTEGER NOT NULL, due REAL NOT NULL);
"""
DELIVERY_SECONDS: Final = (5.0, 15.0)
DELIVERY_CHECK_SECONDS: Final = 1.0


class ReservationRequest(BaseModel):
    """Units wanted by product, for one order."""

    order_id: int = Field(gt=0)
    items: dict[int, Annotated[int, Field(gt=0, le=99)]] = Field(min_length=1, max_length=50)


class Warehouse:
    """The stock of the shop over its store; a reservation of the same order is made once."""

    def __init__(self, service: Service, store: Store) -> None:
        self._store, self._logger = store, service.logger
        self._rng = service.config.random("inventory", "deliveries")
        self._units: Gauge = service.metrics.gauge("stock_units", "Units in stock, all products.")
        self._low: Gauge = service.metrics.gauge("stock_low_products", "Products at or below the reorder point.")
        self._reservations = service.metrics.counter("reservations_total", "Reservations made.")
        self._shortages = service.metrics.counter("shortages_total", "Reservations refused for lack of stock.")

    async def open(self) -> None:
        """Put the initial stock on the shelves where there is none yet."""
        await self._store.run("fill_stock", _fill)
        await self.levels()

    async def levels(self) -> dict[int, int]:
        """Return units in stock by product."""
        levels = await self._store.run("read_stock", _read_levels)
        self._units.set(sum(levels.values()))
        self._low.set(sum(level <= REORDER_POINT for level in levels.values()))
        return levels

    async def reserve(self, request: ReservationRequest) -> None:
        """Reserve all items or raise Refused (409); orders a delivery of what runs low."""
        due = time() + self._rng.uniform(*DELIVERY_SECONDS)
        plan, ordered = await self._store.run("reserve_stock", lambda db: _reserve(db, request, due))
        if plan.shortages:
            self._shortages.inc()
            reason = describe_shortages(plan.shortages, request.items)
            raise Refused(409, f"order {request.order_id} cannot be reserved: {reason}")
        self._reservations.inc()
        units, products = sum(request.items.values()), len(request.items)
        self._logger.info("stock reserved for order %d: %d units of %d products", request.order_id, units, products)
        for product in ordered:
            level = plan.levels[product]
            self._logger.warning("stock of product %d is low: %d units left, delivery ordered", product, level)

    async def release(self, order_id: int) -> None:
        """Put back what an order had reserved; nothing happens when it had not."""
        units = await self._store.run("release_stock", lambda db: _release(db, order_id))
        self._logger.info("stock released for order %d: %d units", order_id, units)

    async def book_deliveries(self) -> None:
        """Put due deliveries on the shelves, forever."""
        while True:
            try:
                for product, units, level in await self._store.run("book_deliveries", _book_due):
                    self._logger.info("delivery of product %d: %d units, %d in stock", product, units, level)
            except StoreUnavailable as error:
                self._logger.error("booking deliveries failed: %s", error)
            await asyncio.sleep(DELIVERY_CHECK_SECONDS)


def create_app(service: Service) -> FastAPI:
    """Return the inventory application."""
    app = build_app(service, _start)

    @app.get("/stock")
    async def stock() -> dict[int, int]:
        levels = dict(await app.state.warehouse.levels())
        service.logger.info("stock of %d products read", len(levels), extra={"status": 200})
        return levels

    @app.post("/reservations", status_code=201)
    async def reserve(request: ReservationRequest) -> dict[str, int]:
        await app.state.warehouse.reserve(request)
        return {"order_id": request.order_id}

    @app.delete("/reservations/{order_id}", status_code=204)
    async def release(order_id: int) -> None:
        await app.state.warehouse.release(order_id)

    return app


async def _start(service: Service, app: FastAPI, stack: AsyncExitStack) -> None:
    warehouse = Warehouse(service, service.open_store(SCHEMA, stack))
    await warehouse.open()
    app.state.warehouse = warehouse
    deliveries = asyncio.create_task(warehouse.book_deliveries())
    stack.push_async_callback(_cancel, deliveries)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _fill(db: sqlite3.Connection) -> None:
    db.executemany("INSERT OR IGNORE INTO stock VALUES (?, ?)", [(product, INITIAL_UNITS) for product in CATALOGUE])


def _read_levels(db: sqlite3.Connection) -> dict[int, int]:
    return {row["product"]: row["units"] for row in db.execute("SELECT product, units FROM stock")}


def _reserve(db: sqlite3.Connection, request: ReservationRequest, due: float) -> tuple[Reservation, list[int]]:
    """Return the plan carried out, and the products for which a delivery was ordered just now."""
    levels = _read_levels(db)
    if db.execute("SELECT 1 FROM reservations WHERE order_id = ?", (request.order_id,)).fetchone():
        return Reservation(levels, {}, ()), []
    plan = plan_reservation(levels, request.items)
    if plan.shortages:
        return plan, []
    db.executemany("UPDATE stock SET units = ? WHERE product = ?", [(plan.levels[p], p) for p in request.items])
    db.execute("INSERT INTO reservations VALUES (?, ?)", (request.order_id, json.dumps(request.items)))
    return plan, [product for product in plan.low if _order_delivery(db, product, due)]


def _order_delivery(db: sqlite3.Connection, product: int, due: float) -> bool:
    cursor = db.execute("INSERT OR IGNORE INTO deliveries VALUES (?, ?, ?)", (product, DELIVERY_UNITS, due))
    return cursor.rowcount == 1


def _release(db: sqlite3.Connection, order_id: int) -> int:
    row = db.execute("DELETE FROM reservations WHERE order_id = ? RETURNING items", (order_id,)).fetchone()
    items = {} if row is None else json.loads(row["items"])
    db.executemany("UPDATE stock SET units = units + ? WHERE product = ?", [(n, int(p)) for p, n in items.items()])
    return sum(items.values())


def _book_due(db: sqlite3.Connection) -> list[tuple[int, int, int]]:
    due = db.execute("DELETE FROM deliveries WHERE due <= ? RETURNING product, units", (time(),)).fetchall()
    booked = []
    for product, units in due:
        db.execute("UPDATE stock SET units = units + ? WHERE product = ?", (units, product))
        level = db.execute("SELECT units FROM stock WHERE product = ?", (product,)).fetchone()["units"]
        booked.append((product, units, level))
    return booked
