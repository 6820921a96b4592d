"""Incidents as alerts: one per incident in Alertmanager, from its opening to its end."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import httpx

from faultline.incidents import Incident, IncidentState

RESEND: Final = timedelta(seconds=10)  # Alertmanager forgets an alert that is not sent again
EXPIRES: Final = timedelta(seconds=60)  # after the last time it was sent: an incident whose tracker died ends so
TEXT_CHARS: Final = 1000
RUNBOOK: Final = "prometheus/runbook.md#incident"

logger = logging.getLogger(__name__)


class Alerts:
    """Tells Alertmanager of open incidents, again and again, and of their end."""

    def __init__(self, client: httpx.Client) -> None:
        """Send through a client whose base URL is Alertmanager's."""
        self._client = client
        self._sent: dict[str, datetime] = {}

    def tell(self, incidents: Sequence[Incident], now: datetime) -> bool:
        """Send what has changed or is due; returns False, and tries again next time, when nobody answers.

        `incidents` are those that are open, and those that have just ended.
        """
        due = [incident for incident in incidents if self._is_due(incident, now)]
        if not due:
            return True
        try:
            self._client.post("/api/v2/alerts", json=[alert(incident, now) for incident in due]).raise_for_status()
        except httpx.HTTPError as error:
            logger.warning("Alertmanager was not told of incidents", extra={"error": str(error)})
            return False
        for incident in due:
            if incident.state is IncidentState.OPEN:
                self._sent[incident.incident_id] = now
            else:
                self._sent.pop(incident.incident_id, None)
        return True

    def _is_due(self, incident: Incident, now: datetime) -> bool:
        last = self._sent.get(incident.incident_id)
        return incident.state is not IncidentState.OPEN or last is None or now - last >= RESEND


def alert(incident: Incident, now: datetime) -> dict[str, Any]:
    """Return an incident as Alertmanager takes it; labels never change while it lasts, annotations do."""
    is_open = incident.state is IncidentState.OPEN
    cause = incident.causes[0].title if incident.causes else "unknown"
    return {
        "labels": {
            "alertname": "Incident",
            "incident_id": incident.incident_id,
            "severity": "page",
            "side": "incident",
        },
        "annotations": {
            "summary": f"{', '.join(incident.services[:4])} abnormal, likely cause {cause}"[:TEXT_CHARS],
            "description": incident.explanation[:TEXT_CHARS],
            "runbook_url": RUNBOOK,
        },
        "startsAt": incident.opened_at.isoformat(),
        "endsAt": (now + EXPIRES if is_open else max(incident.resolved_at or now, incident.opened_at)).isoformat(),
        "generatorURL": f"/v1/incidents/{incident.incident_id}",
    }
