"""Health of a service: one record per poll of its /health; a poll that fails is a record, too."""

from __future__ import annotations

from faultline.records import Event, Severity
from feeder.json_line import read_object
from feeder.origin import Origin, make_event

_HEALTHY = frozenset({"ok", "up", "healthy", "pass", "UP"})


def parse(origin: Origin, status: int, answer: bytes, seconds: float) -> Event:
    """Return the record of an answer: body names the state, attributes each check."""
    fields = read_object(answer)
    state = "unreadable" if isinstance(fields, str) else str(fields.get("status") or "unknown")
    healthy = status == 200 and state in _HEALTHY
    attributes: dict[str, object] = {"http.response.status_code": status, "url.full": origin.path}
    if isinstance(fields, str):
        attributes["health.answer"] = answer[:1000].decode("utf-8", "replace")
    else:
        attributes["service.version"] = fields.get("version")
        attributes["health.checks"] = fields.get("checks")
    return make_event(
        origin,
        answer,
        f"health of {origin.service_name}: {state}",
        severity=Severity.INFO if healthy else Severity.ERROR,
        attributes=attributes,
        measures={"health.duration_seconds": seconds},
    )


def unreachable(origin: Origin, error: str, seconds: float) -> Event:
    """Return the record of a poll without an answer."""
    return make_event(
        origin,
        error.encode(),
        f"{origin.source_type.value} of {origin.service_name}: unreachable: {error}",
        severity=Severity.ERROR,
        attributes={"url.full": origin.path},
        measures={"health.duration_seconds": seconds},
    )
