"""Orders: takes an order through reservation and payment, and stores what became of it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import FastAPI
from pydantic import BaseModel, Field

from demo.catalogue import CATALOGUE
from demo.downstream import Downstream, error_text
from demo.errors import DependencyError, Refused
from demo.pricing import Price, format_euros, price_items
from demo.service import Service, build_app
from demo.store import Store

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY AUTOINCREMENT, customer INTEGER NOT NULL, items TEXT NOT NULL,
    total_cents INTEGER NOT NULL, state TEXT NOT NULL, created TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS orders_by_customer ON orders (customer);
"""
READ_SECONDS: Final = 2.0


class OrderRequest(BaseModel):
    """Who orders what, and the card to charge."""

    customer: int = Field(gt=0)
    items: dict[int, Annotated[int, Field(gt=0, le=99)]] = Field(min_length=1, max_length=50)
    card: str = Field(pattern=r"^\d{16}$")


class OrderDesk:
    """Places orders: reserve, charge, store. What is reserved is released when the charge fails.

    A charge that timed out may still be made: payments keeps it under the order's id, the order is `failed`.
    """

    def __init__(self, service: Service, store: Store, inventory: Downstream, payments: Downstream) -> None:
        self._store, self._inventory, self._payments = store, inventory, payments
        self._logger = service.logger
        self._placed = service.metrics.counter("orders_total", "Orders placed.")
        self._failed = service.metrics.counter("orders_failed_total", "Orders refused or failed.")
        self._revenue = service.metrics.counter("revenue_cents_total", "Totals of the orders placed.")

    async def place(self, request: OrderRequest) -> dict[str, Any]:
        """Return the placed order. Raises Refused (402, 404, 409), DependencyError or StoreUnavailable."""
        price = _price(request)
        order_id = await self._store.run("open_order", lambda db: _insert(db, request, price))
        try:
            await self._reserve(order_id, request)
            await self._charge(order_id, request, price)
        except (Refused, DependencyError) as error:
            self._failed.inc()
            await self._close(order_id, "refused" if isinstance(error, Refused) else "failed")
            raise
        await self._close(order_id, "placed")
        self._placed.inc()
        self._revenue.inc(price.total)
        units = sum(request.items.values())
        text = "order %d placed for customer %d: %d items, %s"
        self._logger.info(text, order_id, request.customer, units, format_euros(price.total), extra={"status": 201})
        return {"order_id": order_id, "customer": request.customer, "price": price.public()}

    async def find(self, order_id: int) -> dict[str, Any]:
        """Return one order; raises Refused (404)."""
        row = await self._store.run("find_order", lambda db: _find(db, order_id))
        if row is None:
            raise Refused(404, f"order {order_id} does not exist")
        self._logger.info("order %d looked up: %s", order_id, row["state"], extra={"status": 200})
        return row

    async def availability(self) -> dict[str, int]:
        """Return units in stock by product, as inventory says."""
        try:
            response = await self._inventory.call("GET", "/stock")
        except DependencyError as error:
            raise error.during("reading availability failed") from error
        return dict(response.json())

    async def _reserve(self, order_id: int, request: OrderRequest) -> None:
        body = {"order_id": order_id, "items": request.items}
        try:
            response = await self._inventory.call("POST", "/reservations", json=body)
        except DependencyError as error:
            if error.status == 504:  # it may still be made when inventory comes to it
                await self._release(order_id)
            raise error.during(f"order {order_id} failed at reservation") from error
        if response.status_code != 201:
            raise Refused(409, f"order {order_id} refused: {error_text(response)}")

    async def _charge(self, order_id: int, request: OrderRequest, price: Price) -> None:
        body = {"order_id": order_id, "amount_cents": price.total, "card": request.card}
        try:
            response = await self._payments.call("POST", "/charges", json=body)
        except DependencyError as error:
            await self._release(order_id)
            raise error.during(f"order {order_id} failed at payment") from error
        if response.status_code != 201:
            await self._release(order_id)
            raise Refused(402, f"order {order_id} refused: payment declined, {error_text(response)}")

    async def _release(self, order_id: int) -> None:
        try:
            await self._inventory.call("DELETE", f"/reservations/{order_id}")
        except DependencyError as error:
            # The charge's error is the one to answer with; the stock stays reserved and the line says so.
            self._logger.error("stock of order %d stays reserved: %s", order_id, error)

    async def _close(self, order_id: int, state: str) -> None:
        await self._store.run("close_order", lambda db: _set_state(db, order_id, state))


def create_app(service: Service) -> FastAPI:
    """Return the orders application."""
    app = build_app(service, _start)

    @app.post("/orders", status_code=201)
    async def place(request: OrderRequest) -> dict[str, Any]:
        return dict(await app.state.desk.place(request))

    @app.get("/orders/{order_id}")
    async def find(order_id: int) -> dict[str, Any]:
        return dict(await app.state.desk.find(order_id))

    @app.get("/availability")
    async def availability() -> dict[str, int]:
        return dict(await app.state.desk.availability())

    return app


async def _start(service: Service, app: FastAPI, stack: AsyncExitStack) -> None:
    store = service.open_store(SCHEMA, stack)
    inventory = await service.open_downstream("inventory", READ_SECONDS, stack)
    payments = await service.open_downstream("payments", READ_SECONDS, stack)
    app.state.desk = OrderDesk(service, store, inventory, payments)


def _price(request: OrderRequest) -> Price:
    unknown = [product for product in request.items if product not in CATALOGUE]
    if unknown:
        raise Refused(404, f"order of customer {request.customer} refused: no product {unknown[0]}")
    return price_items(request.items, {number: product.price_cents for number, product in CATALOGUE.items()})


def _insert(db: sqlite3.Connection, request: OrderRequest, price: Price) -> int:
    created = datetime.now(UTC).isoformat()
    row = (request.customer, json.dumps(request.items), price.total, "open", created)
    text = "INSERT INTO orders (customer, items, total_cents, state, created) VALUES (?, ?, ?, ?, ?) RETURNING id"
    return int(db.execute(text, row).fetchone()["id"])


def _set_state(db: sqlite3.Connection, order_id: int, state: str) -> None:
    db.execute("UPDATE orders SET state = ? WHERE id = ?", (state, order_id))


def _find(db: sqlite3.Connection, order_id: int) -> dict[str, Any] | None:
    row = db.execute("SELECT * FROM orders WHERE id = ?", (order_id,)).fetchone()
    return None if row is None else {**dict(row), "items": json.loads(row["items"])}
