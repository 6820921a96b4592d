"""What the four services have in common: the FastAPI application with health, metrics, logs and error answers."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import httpx
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from demo.config import ShopConfig
from demo.downstream import Downstream, open_client
from demo.errors import Refused, ShopError
from demo.store import Store
from demo.telemetry import ShopMetrics, Telemetry

Transports = Mapping[str, httpx.AsyncBaseTransport]
Checks = dict[str, Callable[[], Awaitable[str]]]
Start = Callable[["Service", FastAPI, AsyncExitStack], Awaitable[None]]


@dataclass
class Service:
    """A service under construction, then running: its name, settings, logger, metrics and health checks."""

    name: str
    config: ShopConfig
    transports: Transports = field(default_factory=dict)
    checks: Checks = field(default_factory=dict)
    metrics: ShopMetrics = field(default_factory=ShopMetrics)

    @property
    def logger(self) -> logging.Logger:
        """Return the logger of this service's own lines."""
        return logging.getLogger(f"shop.{self.name}")

    def open_store(self, schema: str, stack: AsyncExitStack) -> Store:
        """Return this service's store, checked by /health and closed when the service stops."""
        path = self.config.stores / f"{self.name}.db"
        store = Store(path, schema, self.config.random(self.name, "store"), self.logger)
        stack.callback(store.close)
        self.checks["store"] = store.check
        return store

    async def open_downstream(self, name: str, read_seconds: float, stack: AsyncExitStack) -> Downstream:
        """Return a client for another service, closed when this one stops."""
        client = open_client(self.config.url(name), read_seconds, self.transports.get(name))
        await stack.enter_async_context(client)
        return Downstream(name, client, self.metrics, self.logger)


def build_app(service: Service, start: Start) -> FastAPI:
    """Return the application; `start` opens what it needs, keeps it on `app.state`, and has it closed by the stack."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await start(service, app, stack)
            service.logger.info("%s %s is ready", service.name, service.config.version)
            yield
        service.logger.info("%s %s has stopped", service.name, service.config.version)

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    app.add_middleware(Telemetry, metrics=service.metrics, logger=service.logger)
    _answer_errors(app, service.logger)
    _add_health(app, service)
    _add_metrics(app, service.metrics)
    return app


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/health")
    async def health() -> JSONResponse:
        checks = {name: await check() for name, check in service.checks.items()}
        healthy = all(state == "ok" for state in checks.values())
        answer = {
            "status": "ok" if healthy else "degraded",
            "service": service.name,
            "version": service.config.version,
            "checks": checks,
        }
        return JSONResponse(answer, status_code=200 if healthy else 503)


def _add_metrics(app: FastAPI, metrics: ShopMetrics) -> None:
    @app.get("/metrics")
    async def expose() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _answer_errors(app: FastAPI, logger: logging.Logger) -> None:
    async def shop_error(_: Request, error: Exception) -> JSONResponse:
        status = error.status if isinstance(error, ShopError) else 500
        level = logging.WARNING if isinstance(error, Refused) else logging.ERROR
        logger.log(level, "%s", error, extra={"status": status})
        return JSONResponse({"error": str(error)}, status_code=status)

    async def http_error(request: Request, error: Exception) -> JSONResponse:
        status = error.status_code if isinstance(error, HTTPException) else 500
        logger.warning("no page at %s %s", request.method, request.url.path, extra={"status": status})
        return JSONResponse({"error": "no such page"}, status_code=status)

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        problems = "; ".join(_describe_problem(problem) for problem in _problems(error))
        logger.warning("invalid request to %s: %s", request.url.path, problems, extra={"status": 422})
        return JSONResponse({"error": problems}, status_code=422)

    app.add_exception_handler(ShopError, shop_error)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, invalid)


def _problems(error: Exception) -> list[dict[str, object]]:
    return list(error.errors()) if isinstance(error, RequestValidationError) else []


def _describe_problem(problem: dict[str, object]) -> str:
    place = problem["loc"]
    name = ".".join(map(str, place)) if isinstance(place, tuple) else str(place)
    return f"{name}: {problem['msg']}"
