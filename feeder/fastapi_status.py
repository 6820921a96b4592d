"""Health of a service: one record per poll of its /health; a poll that fails is a record, too."""

from __future__ import annotations

from typing import Final

from faultline.records import Event, Severity
from feeder.json_line import read_object
from feeder.origin import Origin, as_text, make_event

MAX_KEPT: Final = 1000  # characters or bytes of an answer; with every field at its bound the record stays small
_HEALTHY: Final = frozenset({"ok", "up", "healthy", "pass"})


def parse(origin: Origin, status: int, answer: bytes, seconds: float) -> Event:
    """Return the record of an answer: body names the state, attributes each check."""
    fields = read_object(answer)
    state = "unreadable" if isinstance(fields, str) else as_text(fields.get("status") or "unknown")[:MAX_KEPT]
    healthy = status == 200 and state.lower() in _HEALTHY
    attributes: dict[str, object] = {"http.response.status_code": status, "url.full": origin.path}
    if isinstance(fields, str):
        attributes["health.answer"] = answer[:MAX_KEPT].decode("utf-8", "replace")
    else:
        attributes["service.version"] = as_text(fields.get("version") or "")[:MAX_KEPT]
        attributes["health.checks"] = as_text(fields.get("checks") or "")[: 10 * MAX_KEPT]
    return make_event(
        origin,
        answer[:MAX_KEPT],
        f"health of {origin.service_name}: {state}",
        severity=Severity.INFO if healthy else Severity.ERROR,
        attributes=attributes,
        measures={"health.duration_seconds": seconds},
    )


def unreachable(origin: Origin, error: str, seconds: float) -> Event:
    """Return the record of a poll without an answer."""
    return make_event(
        origin,
        error.encode(errors="replace"),
        f"{origin.source_type.value} of {origin.service_name}: unreachable: {error}",
        severity=Severity.ERROR,
        attributes={"url.full": origin.path},
        measures={"health.duration_seconds": seconds},
    )
