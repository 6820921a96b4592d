"""Who a log line belongs to: request id and W3C trace context of the request being answered."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

# https://www.w3.org/TR/trace-context/#traceparent-header-field-values: all-zero ids are invalid.
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True)
class Trace:
    """Trace id, this service's span id, and the flags as received."""

    trace_id: str
    span_id: str
    flags: str = "01"

    def header(self) -> str:
        """Return the value of `traceparent` to send on."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


def continue_trace(traceparent: str | None) -> Trace:
    """Return a new span in the caller's trace, or in a new trace when the header is absent or malformed."""
    match = _TRACEPARENT.fullmatch(traceparent or "")
    trace_id, flags = (match[1], match[3]) if match else (secrets.token_hex(16), "01")
    return Trace(trace_id, secrets.token_hex(8), flags)


@dataclass(frozen=True)
class RequestContext:
    """The request being answered; `scope` is the ASGI scope, which learns its route while it is answered."""

    request_id: str
    trace: Trace
    scope: Mapping[str, Any]
    started: float = field(default_factory=perf_counter)

    @property
    def route(self) -> str:
        """Return the route's path as declared, or "unmatched": a closed set, fit for a metric label."""
        return str(getattr(self.scope.get("route"), "path", "unmatched"))

    @property
    def elapsed_ms(self) -> float:
        """Return milliseconds since the request arrived."""
        return round((perf_counter() - self.started) * 1000, 1)


current: ContextVar[RequestContext | None] = ContextVar("current_request", default=None)


def open_context(scope: Mapping[str, Any]) -> RequestContext:
    """Return the context of an ASGI request; an absent or unusable X-Request-ID is replaced by a new one."""
    headers = {key: value.decode("latin-1") for key, value in scope["headers"]}
    given = headers.get(b"x-request-id", "")
    request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
    return RequestContext(request_id, continue_trace(headers.get(b"traceparent")), scope)


def outgoing_headers() -> dict[str, str]:
    """Return the headers that carry the current request on to the next service."""
    context = current.get()
    if context is None:
        return {"traceparent": continue_trace(None).header()}
    return {"traceparent": context.trace.header(), "X-Request-ID": context.request_id}
