"""Payments: charges a card once per order, through an acquirer that is sometimes slow."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import AsyncExitStack
from typing import Final

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from demo.cards import Decision, decide_card
from demo.errors import DependencyError
from demo.latency import draw_wait
from demo.pricing import format_euros
from demo.service import Service, build_app
from demo.store import Store

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS charges (
    order_id INTEGER PRIMARY KEY, amount_cents INTEGER NOT NULL, card_last4 TEXT NOT NULL, reason TEXT NOT NULL
);
"""
# The second attempt is given the time that the slowest normal answer (160 ms) needs.
ACQUIRER_SECONDS: Final = (0.070, 1.0)


class ChargeRequest(BaseModel):
    """What to charge, and to which card."""

    order_id: int = Field(gt=0)
    amount_cents: int = Field(gt=0)
    card: str = Field(pattern=r"^\d{16}$")


class Cashier:
    """Charges cards and stores the outcome; a second charge for an order returns the first outcome."""

    def __init__(self, service: Service, store: Store) -> None:
        self._store, self._logger, self._config = store, service.logger, service.config
        self._authorised = service.metrics.counter("payments_authorised_total", "Charges authorised.")
        self._declined = service.metrics.counter("payments_declined_total", "Charges declined.")

    async def charge(self, request: ChargeRequest) -> Decision:
        """Return the decision; raises DependencyError (504) when the acquirer stays silent."""
        known = await self._store.run("find_charge", lambda db: _find(db, request.order_id))
        if known is not None:
            return known
        decision = await self._ask_acquirer(request)
        await self._store.run("store_charge", lambda db: _insert(db, request, decision))
        self._report(request, decision)
        return decision

    async def _ask_acquirer(self, request: ChargeRequest) -> Decision:
        rng = self._config.random("acquirer", request.order_id)
        for attempt, seconds in enumerate(ACQUIRER_SECONDS, start=1):
            try:
                return await asyncio.wait_for(_answer(request.amount_cents, rng), seconds)
            except TimeoutError:
                text = "acquirer gave no answer within %.0f ms for order %d (attempt %d)"
                self._logger.warning(text, seconds * 1000, request.order_id, attempt)
        raise DependencyError(504, f"acquirer gave no answer for order {request.order_id}")

    def _report(self, request: ChargeRequest, decision: Decision) -> None:
        amount, last4 = format_euros(request.amount_cents), request.card[-4:]
        if decision.authorised:
            self._authorised.inc()
            text = "payment authorised for order %d: %s on card ending %s"
            self._logger.info(text, request.order_id, amount, last4, extra={"status": 201})
        else:
            self._declined.inc()
            text = "payment declined for order %d: %s, %s on card ending %s"
            self._logger.warning(text, request.order_id, decision.reason, amount, last4, extra={"status": 402})


def create_app(service: Service) -> FastAPI:
    """Return the payments application."""
    app = build_app(service, _start)

    @app.post("/charges")
    async def charge(request: ChargeRequest) -> JSONResponse:
        decision = await app.state.cashier.charge(request)
        if decision.authorised:
            return JSONResponse({"order_id": request.order_id}, status_code=201)
        return JSONResponse({"error": decision.reason}, status_code=402)

    return app


async def _start(service: Service, app: FastAPI, stack: AsyncExitStack) -> None:
    app.state.cashier = Cashier(service, service.open_store(SCHEMA, stack))


async def _answer(amount_cents: int, rng: random.Random) -> Decision:
    """Stand in for the acquirer: its delay and its decision depend on the seed and the order alone."""
    await asyncio.sleep(draw_wait(rng))
    return decide_card(amount_cents, rng)


def _find(db: sqlite3.Connection, order_id: int) -> Decision | None:
    row = db.execute("SELECT reason FROM charges WHERE order_id = ?", (order_id,)).fetchone()
    return None if row is None else Decision(row["reason"] == "", row["reason"])


def _insert(db: sqlite3.Connection, request: ChargeRequest, decision: Decision) -> None:
    row = (request.order_id, request.amount_cents, request.card[-4:], decision.reason)
    db.execute("INSERT OR IGNORE INTO charges VALUES (?, ?, ?, ?)", row)
