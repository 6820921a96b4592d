"""Metrics of a service, and the ASGI middleware that sets the request context, counts, and catches what nobody did."""

from __future__ import annotations

import logging

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.context import RequestContext, current, open_context

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class ShopMetrics:
    """What every service exposes, in a registry of its own; business metrics are added by their service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "requests_total", "Requests answered.", ["route", "method", "status"], registry=self.registry
        )
        self.duration = Histogram(
            "request_duration_seconds",
            "Time to answer a request.",
            ["route", "method"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.dependency_calls = Counter(
            "dependency_calls_total",
            "Calls to other services by outcome: 2xx, 4xx, 5xx, unreachable, timeout, broken.",
            ["dependency", "outcome"],
            registry=self.registry,
        )

    def counter(self, name: str, help_text: str) -> Counter:
        """Add a business counter without labels."""
        return Counter(name, help_text, registry=self.registry)

    def gauge(self, name: str, help_text: str) -> Gauge:
        """Add a business gauge without labels."""
        return Gauge(name, help_text, registry=self.registry)


class Telemetry:
    """Outermost of our middleware: what runs inside it logs with request id, trace id and route."""

    def __init__(self, app: ASGIApp, metrics: ShopMetrics, logger: logging.Logger) -> None:
        self._app, self._metrics, self._logger = app, metrics, logger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context = open_context(scope)
        token = current.set(context)
        answer = _Answer(send, context.request_id)
        try:
            await self._answer(scope, receive, answer)
        finally:
            current.reset(token)
            self._observe(context, answer.status)

    async def _answer(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        try:
            await self._app(scope, receive, answer)
        except Exception as error:
            method, path = scope["method"], scope["path"]
            self._logger.exception(
                "unexpected %s in %s %s: %s", type(error).__name__, method, path, error, extra={"status": 500}
            )
            if not answer.started:
                await JSONResponse({"error": "internal error"}, status_code=500)(scope, receive, answer)

    def _observe(self, context: RequestContext, status: int) -> None:
        method = context.scope["method"]
        self._metrics.requests.labels(context.route, method, status).inc()
        self._metrics.duration.labels(context.route, method).observe(context.elapsed_ms / 1000)


class _Answer:
    """The ASGI `send` that adds X-Request-ID and remembers the status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send, self._request_id = send, request_id
        self.status, self.started = 500, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.started = message["status"], True
            headers = [*message.get("headers", ()), (b"x-request-id", self._request_id.encode())]
            message = {**message, "headers": headers}
        await self._send(message)
