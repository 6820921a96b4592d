"""What fires now, as Alertmanager holds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx


@dataclass(frozen=True)
class FiringAlert:
    """One alert; `service` is empty for those that are of no service."""

    name: str
    service: str
    side: str
    starts_at: datetime
    summary: str
    severity: str = ""


def firing_alerts(alertmanager_port: int) -> list[FiringAlert]:
    """Return the alerts that fire now, first first; raises httpx.HTTPError when Alertmanager does not answer."""
    url = f"http://127.0.0.1:{alertmanager_port}/api/v2/alerts"
    answer = httpx.get(url, params={"active": "true"}, timeout=5)
    answer.raise_for_status()
    return sorted((_alert(entry) for entry in answer.json()), key=lambda alert: alert.starts_at)


def _alert(entry: dict[str, Any]) -> FiringAlert:
    labels = entry["labels"]
    return FiringAlert(
        name=labels["alertname"],
        service=labels.get("service_name", ""),
        side=labels.get("side", ""),
        starts_at=datetime.fromisoformat(entry["startsAt"]),
        summary=entry["annotations"].get("summary", ""),
        severity=labels.get("severity", ""),
    )
