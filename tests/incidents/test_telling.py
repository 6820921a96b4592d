"""Incidents as Alertmanager's alerts."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import msgspec

from faultline.incidents import IncidentState
from incidents.telling import EXPIRES, RESEND, TEXT_CHARS, Alerts, alert
from tests.faultline.test_incidents import MOMENT, incident

OPEN = incident()
RESOLVED = msgspec.structs.replace(OPEN, state=IncidentState.RESOLVED, resolved_at=MOMENT + timedelta(minutes=1))
MERGED = msgspec.structs.replace(OPEN, state=IncidentState.MERGED, merged_into="i0")


class Alertmanager:
    """Notes what it is sent; `status` is what it answers."""

    def __init__(self) -> None:
        self.sent: list[list[dict[str, Any]]] = []
        self.status = 200

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/v2/alerts"
        if self.status == 200:
            self.sent.append(json.loads(request.content))
        return httpx.Response(self.status)

    def alerts(self) -> Alerts:
        return Alerts(httpx.Client(transport=httpx.MockTransport(self), base_url="http://alertmanager"))


def test_alert_says_what_why_and_where_to_read_on() -> None:
    told = alert(OPEN, MOMENT)
    assert told["labels"] == {"alertname": "Incident", "incident_id": "i1", "severity": "page", "side": "incident"}
    assert told["annotations"] == {
        "summary": "orders abnormal, likely cause orders",
        "description": "orders broke",
        "runbook_url": "prometheus/runbook.md#incident",
    }
    assert told["startsAt"] == MOMENT.isoformat()
    assert told["endsAt"] == (MOMENT + EXPIRES).isoformat()


def test_labels_stay_while_all_else_changes() -> None:
    later = msgspec.structs.replace(OPEN, services=["a", "b"], causes=[], explanation="x" * 9999, version=9)
    assert alert(later, MOMENT)["labels"] == alert(OPEN, MOMENT)["labels"]
    assert alert(later, MOMENT)["annotations"]["summary"] == "a, b abnormal, likely cause unknown"
    assert len(alert(later, MOMENT)["annotations"]["description"]) == TEXT_CHARS


def test_end_is_told_and_never_before_the_begin() -> None:
    assert alert(RESOLVED, MOMENT)["endsAt"] == RESOLVED.resolved_at.isoformat()  # type: ignore[union-attr]
    assert alert(MERGED, MOMENT - timedelta(hours=1))["endsAt"] == MOMENT.isoformat()


def test_open_incident_is_told_at_once_and_then_now_and_again() -> None:
    alertmanager = Alertmanager()
    alerts = alertmanager.alerts()
    for seconds in (0, 1, 5, RESEND.total_seconds(), RESEND.total_seconds() + 1):
        assert alerts.tell([OPEN], MOMENT + timedelta(seconds=seconds))
    assert len(alertmanager.sent) == 2


def test_end_is_told_once_and_the_incident_forgotten() -> None:
    alertmanager = Alertmanager()
    alerts = alertmanager.alerts()
    alerts.tell([OPEN], MOMENT)
    alerts.tell([RESOLVED], MOMENT + timedelta(seconds=2))
    alerts.tell([], MOMENT + timedelta(hours=1))
    assert [len(sent) for sent in alertmanager.sent] == [1, 1]
    alerts.tell([OPEN], MOMENT + timedelta(seconds=3))  # reopened under its id: told at once
    assert len(alertmanager.sent) == 3


def test_what_was_not_taken_is_sent_again() -> None:
    alertmanager = Alertmanager()
    alerts = alertmanager.alerts()
    alertmanager.status = 503
    assert not alerts.tell([OPEN], MOMENT)
    alertmanager.status = 200
    assert alerts.tell([OPEN], MOMENT + timedelta(seconds=1))
    assert len(alertmanager.sent) == 1


def test_nothing_to_tell_asks_nobody() -> None:
    alertmanager = Alertmanager()
    alertmanager.status = 500
    assert alertmanager.alerts().tell([], MOMENT)
