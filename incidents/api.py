"""The HTTP interface: incidents, verdicts, and what was learned from them."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import BaseModel, Field
from starlette.middleware.trustedhost import TrustedHostMiddleware

from faultline.feedback import Feedback, Verdict
from faultline.incidents import Incident, IncidentState
from incidents.store import IncidentStore

MAX_BODY_BYTES: Final = 64 * 1024
PAGE: Final = 100
HOSTS: Final = ["127.0.0.1", "localhost", "testserver"]  # another name is a page elsewhere that reads what is ours


@dataclass
class Context:
    """What the interface works on; `learned` is called when verdicts have changed."""

    store: IncidentStore
    registry: CollectorRegistry
    services: Callable[[], Container[str]]  # names that may be given as a cause beside the candidates
    learned: Callable[[], None]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


class FeedbackBody(BaseModel):
    """A verdict as it is posted."""

    verdict: Literal["true", "false"]
    who: str = Field(min_length=1, max_length=200)
    cause: str = Field(default="", max_length=256)
    note: str = Field(default="", max_length=4000)


class ApiError(Exception):
    """Told to the caller with its status and a code that programs can go by."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status, self.code, self.text = status, code, text


def build_app(context: Context) -> FastAPI:
    """Return the application; it binds nothing itself."""
    app = FastAPI(title="Faultline incidents", version="1", docs_url=None, redoc_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)
    _bound_bodies(app)
    _answer_errors(app)
    _add_pages(app, context)
    _add_incidents(app, context)
    _add_feedback(app, context)
    return app


def _add_pages(app: FastAPI, context: Context) -> None:
    @app.get("/health")
    def health() -> dict[str, str]:
        context.store.count(IncidentState.OPEN)
        return {"status": "ok"}

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(context.registry), media_type=CONTENT_TYPE_LATEST)


def _add_incidents(app: FastAPI, context: Context) -> None:
    @app.get("/v1/incidents")
    def incidents(
        state: IncidentState | None = None, limit: Annotated[int, Query(ge=1, le=PAGE)] = 20, before: str = ""
    ) -> Response:
        """The newest first; `next` is what to give as `before` for the page after."""
        found = context.store.newest(limit, state, _moment(before))
        more = found[-1].opened_at.isoformat() if len(found) == limit else ""
        return _json({"incidents": found, "next": more})

    @app.get("/v1/incidents/{incident_id}")
    def incident(incident_id: str) -> Response:
        found = _find(context, incident_id)
        return _json({"incident": found, "verdicts": [*map(_shown, context.store.verdicts(incident_id))]})


def _add_feedback(app: FastAPI, context: Context) -> None:
    @app.post("/v1/incidents/{incident_id}/feedback", status_code=201)
    def give(incident_id: str, body: FeedbackBody) -> Response:
        """Keep a verdict; a later one on the same incident takes the place of an earlier one."""
        found = _find(context, incident_id)
        names = [cause.name for cause in found.causes]
        if body.cause and body.cause not in names and body.cause not in context.services():
            known = ", ".join(names) or "none"
            raise ApiError(422, "unknown_cause", f"cause is {body.cause!r}, expected a service, or one of {known}")
        verdict = _verdict(context, incident_id, Verdict(body.verdict), body.who, cause=body.cause, note=body.note)
        return _json(_shown(verdict), 201)

    @app.get("/v1/learned")
    def learned() -> Response:
        return _json({"learned": context.store.learned()})

    @app.delete("/v1/feedback/{feedback_id}")
    def take_back(feedback_id: str, who: Annotated[str, Query(min_length=1, max_length=200)]) -> Response:
        """Take a verdict back, and all that was learned from it; both stay on record."""
        given = next((verdict for verdict in context.store.verdicts() if verdict.feedback_id == feedback_id), None)
        if given is None or given.undoes:
            raise ApiError(404, "unknown_feedback", f"no verdict {feedback_id!r}; GET /v1/learned lists what counts")
        return _json(_shown(_verdict(context, given.incident_id, given.verdict, who, undoes=feedback_id)))


def _verdict(context: Context, incident_id: str, verdict: Verdict, who: str, **fields: str) -> Feedback:
    patterns, candidates = context.store.subject(incident_id)
    given = Feedback(
        at=context.clock(),
        candidates=candidates,
        patterns=patterns,
        feedback_id=secrets.token_hex(8),
        incident_id=incident_id,
        verdict=verdict,
        who=who,
        **{"cause": "", "note": "", "undoes": "", **fields},
    )
    context.store.add_verdict(given)
    context.learned()
    return given


def _shown(verdict: Feedback) -> dict[str, Any]:
    """Return what a person wants to know of a verdict."""
    return {name: value for name, value in msgspec.structs.asdict(verdict).items() if name != "candidates"}


def _find(context: Context, incident_id: str) -> Incident:
    found = context.store.find(incident_id)
    if found is None:
        raise ApiError(404, "unknown_incident", f"no incident {incident_id[:64]!r}; GET /v1/incidents lists them")
    return found


def _moment(text: str) -> str:
    if not text:
        return ""
    try:
        return datetime.fromisoformat(text.replace(" ", "+")).astimezone(UTC).isoformat()
    except ValueError as error:
        raise ApiError(422, "bad_time", f"before is {text[:64]!r}, expected `next` of a page") from error


def _json(content: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")


def _bound_bodies(app: FastAPI) -> None:
    @app.middleware("http")
    async def check(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        length = request.headers.get("content-length", "0")
        too_long = not length.isdigit() or int(length) > MAX_BODY_BYTES or "transfer-encoding" in request.headers
        if request.method == "POST" and too_long:
            return _error(413, "too_large", f"expected a content-length of at most {MAX_BODY_BYTES} bytes")
        # A form of another site can post text, but not JSON, without the browser asking us first.
        if request.method == "POST" and request.headers.get("content-type", "").split(";")[0] != "application/json":
            return _error(415, "not_json", "expected content-type application/json")
        return await call_next(request)


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(ApiError)
    def own(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ApiError)  # noqa: S101 - what it is registered for
        return _error(error.status, error.code, error.text)

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - what it is registered for
        texts = [f"{'.'.join(map(str, e['loc'][1:])) or 'body'}: {e['msg']}" for e in error.errors()]
        return _error(422, "invalid", "; ".join(texts))


def _error(status: int, code: str, text: str) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "text": text}}, status)
