"""Calls from one service to another: time-outs, one retry when nothing was sent, errors with a status."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

import httpx

from demo.context import outgoing_headers
from demo.credentials import bearer
from demo.errors import DependencyError
from demo.telemetry import ShopMetrics

ATTEMPTS: Final = 2
RETRY_WAIT_SECONDS: Final = 0.05
CONNECT_SECONDS: Final = 0.5


class Downstream:
    """A client for one dependency. Every call it carries is idempotent: reads, or writes keyed by order."""

    def __init__(
        self,
        name: str,
        client: httpx.AsyncClient,
        metrics: ShopMetrics,
        logger: logging.Logger,
    ) -> None:
        self.name, self._client, self._metrics, self._logger = name, client, metrics, logger

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Return the answer when it is below 500; options as for `httpx.AsyncClient.request`.

        Raises DependencyError: 502 unreachable, broken connection or rejected, 503 unavailable, 504 too slow.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                response = await self._client.request(method, path, headers=outgoing_headers(), **options)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                self._count("unreachable")
                self._logger.warning("calling %s failed: %s (attempt %d)", self.name, describe(error), attempt)
                if attempt == ATTEMPTS:
                    text = f"{self.name} is unreachable after {ATTEMPTS} attempts: {describe(error)}"
                    raise DependencyError(502, text) from error
                await asyncio.sleep(RETRY_WAIT_SECONDS)
            except httpx.TimeoutException as error:
                self._count("timeout")
                seconds = self._client.timeout.read
                text = f"{self.name} did not answer within {seconds:g} s: {describe(error)}"
                raise DependencyError(504, text) from error
            except httpx.TransportError as error:
                self._count("broken")
                raise DependencyError(502, f"connection to {self.name} broke: {describe(error)}") from error
            else:
                return self._accept(response)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _accept(self, response: httpx.Response) -> httpx.Response:
        self._count(f"{response.status_code // 100}xx")
        if response.status_code == 401:
            # Read once, when this service started: a token that was replaced since then takes a restart.
            text = f"{self.name} rejected the credentials of this service: {error_text(response)}"
            raise DependencyError(502, text)
        if response.status_code < 500:
            return response
        status = response.status_code if response.status_code in (502, 503, 504) else 502
        raise DependencyError(status, f"{self.name} answered {response.status_code}: {error_text(response)}")

    def _count(self, outcome: str) -> None:
        self._metrics.dependency_calls.labels(self.name, outcome).inc()


def open_client(
    base_url: str, token: str, read_seconds: float, transport: httpx.AsyncBaseTransport | None
) -> httpx.AsyncClient:
    """Return a client that shows `token` and whose time-outs are bounded; `transport` replaces the network in tests."""
    timeout = httpx.Timeout(read_seconds, connect=CONNECT_SECONDS)
    headers = bearer(token)
    return httpx.AsyncClient(base_url=base_url, headers=headers, timeout=timeout, transport=transport, trust_env=False)


def describe(error: Exception) -> str:
    """Return class and text of an error; httpx time-outs carry no text of their own."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def error_text(response: httpx.Response) -> str:
    """Return the `error` field of a JSON answer, or the start of whatever was sent instead."""
    try:
        return str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        return response.text[:200]
