"""How long a fault is kept up: until every side has told of it, or as long as the run allows."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import Final

import httpx

from chaos.records import SIDES, counts
from faultline.alerts import FiringAlert, firing_alerts
from faultline.config import Environ, Ports
from faultline.settings import aware_time, read, read_float

SHORTEST: Final = "FAULTLINE_CHAOS_SHORTEST_HOLD_SECONDS"
LONGEST: Final = "FAULTLINE_CHAOS_LONGEST_HOLD_SECONDS"
BEGUN: Final = "FAULTLINE_CHAOS_BEGUN"  # when the experiment was started: older alerts are not about it
POLL_SECONDS: Final = 0.5


def hold() -> dict[str, object]:
    """Keep the fault up; returns which sides told of it and for how many seconds it was held.

    A side that tells late is waited for, one that never does is not waited for longer than LONGEST: what nobody can
    learn from any more is not worth the time. SHORTEST holds for all, so that no fault is a mere blink.
    """
    port = Ports.from_env(os.environ).alertmanager
    return hold_until_noticed(os.environ, lambda: firing_alerts(port))


def hold_until_noticed(environ: Environ, firing: Callable[[], list[FiringAlert]]) -> dict[str, object]:
    """As `hold`, with Alertmanager's answer passed in; an answer that fails counts as silence."""
    shortest, longest = read_float(environ, SHORTEST, 10.0, 0.0), read_float(environ, LONGEST, 60.0, 0.0)
    since = _begun(environ)
    begin = monotonic()
    noticed: set[str] = set()
    while (held := monotonic() - begin) < longest and not (noticed.issuperset(SIDES) and held >= shortest):
        noticed |= {alert.side for alert in _counted(firing) if alert.starts_at >= since}
        sleep(min(POLL_SECONDS, max(0.0, longest - held)))
    return {"sides": sorted(noticed), "held_seconds": round(held, 1)}


def _begun(environ: Environ) -> datetime:
    told = read(environ, BEGUN, None, aware_time, "a time with zone, 2026-01-31T12:00:00Z")
    return datetime.now(UTC) if told is None else told


def _counted(firing: Callable[[], list[FiringAlert]]) -> list[FiringAlert]:
    try:
        return [alert for alert in firing() if counts(alert.severity, alert.side)]
    except httpx.HTTPError:
        return []
