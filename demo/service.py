"""What the four services have in common: the FastAPI application with health, metrics, logs and error answers."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import httpx
from fastapi import Depends, FastAPI, Request, params
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from demo.config import ShopConfig
from demo.credentials import check_credentials, ensure_token
from demo.downstream import Downstream, open_client
from demo.errors import CredentialsRejected, Refused, ShopError
from demo.store import Store
from demo.telemetry import ShopMetrics, Telemetry
from faultline.shop import CALLEES

Transports = Mapping[str, httpx.AsyncBaseTransport]
Checks = dict[str, Callable[[], Awaitable[str]]]
Start = Callable[["Service", FastAPI, AsyncExitStack], Awaitable[None]]
_OPEN_PATHS: Final = ("/health", "/metrics")


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
        """Return a client for another service, with the token that it expects now; closed when this one stops."""
        token = ensure_token(self.config.credentials(name))
        client = open_client(self.config.url(self.name, name), token, read_seconds, self.transports.get(name))
        await stack.enter_async_context(client)
        return Downstream(name, client, self.metrics, self.logger)


def build_app(service: Service, start: Start) -> FastAPI:
    """Return the application; `start` opens what it needs, keeps it on `app.state`, and has it closed by the stack."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if service.name in CALLEES:
                ensure_token(service.config.credentials(service.name))
            await start(service, app, stack)
            service.logger.info("%s %s is ready", service.name, service.config.version)
            yield
        service.logger.info("%s %s has stopped", service.name, service.config.version)

    app = FastAPI(lifespan=lifespan, openapi_url=None, dependencies=_guards(service))
    app.add_middleware(Telemetry, metrics=service.metrics, logger=service.logger)
    _answer_errors(app, service.logger)
    _add_health(app, service)
    _add_metrics(app, service.metrics)
    return app


def _guards(service: Service) -> list[params.Depends]:
    """Return what each request has to pass: credentials where only services call, nothing where customers do."""
    path = service.config.credentials(service.name)

    async def authenticate(request: Request) -> None:
        if request.url.path not in _OPEN_PATHS:
            check_credentials(path, request.headers.get("Authorization"), f"{request.method} {request.url.path}")

    return [Depends(authenticate)] if service.name in CALLEES else []


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
        level = logging.WARNING if isinstance(error, Refused | CredentialsRejected) else logging.ERROR
        logger.log(level, "%s", error, extra={"status": status})
        return JSONResponse({"error": str(error)}, status_code=status, headers=_challenge(status))

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


def _challenge(status: int) -> dict[str, str] | None:
    """Return the header that an answer 401 has to carry (RFC 9110, section 15.5.2)."""
    return {"WWW-Authenticate": "Bearer"} if status == 401 else None


def _problems(error: Exception) -> list[dict[str, object]]:
    return list(error.errors()) if isinstance(error, RequestValidationError) else []


def _describe_problem(problem: dict[str, object]) -> str:
    place = problem["loc"]
    name = ".".join(map(str, place)) if isinstance(place, tuple) else str(place)
    return f"{name}: {problem['msg']}"
