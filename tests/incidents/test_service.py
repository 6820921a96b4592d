"""The loop's step: what is told to whom, and what happens when they do not listen."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry

from faultline.config import Topics
from faultline.errors import SinkUnavailable
from faultline.feedback import Feedback, Verdict
from faultline.incidents import Incident
from faultline.metrics import IncidentMetrics
from incidents.service import IncidentService
from incidents.store import IncidentStore
from incidents.surroundings import RecentChanges
from incidents.telling import Alerts
from spark.models.root_cause.grouping import QUIET
from tests.faultline.test_feedback import verdict
from tests.incidents.test_telling import Alertmanager
from tests.incidents.test_tracker import Around, records, tracker
from tests.spark.models.root_cause.pieces import at
from tests.spark.models.root_cause.test_grouping import service as abnormal


class Broker:
    """Keeps what it is sent; `away`: acknowledges nothing."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, bytes]] = []
        self.away = False

    def produce(self, topic: str, *, key: bytes, value: bytes) -> None:
        self.sent.append((topic, key, value))

    def flush(self, seconds: float) -> int:
        return len(self.sent) if self.away else 0

    def incidents(self) -> list[Incident]:
        return [Incident.from_bytes(value) for topic, _, value in self.sent if topic == "incidents"]


class Running:
    """A service on a store of its own, with a broker and an Alertmanager that only note."""

    def __init__(self, folder: Path) -> None:
        self.broker, self.alertmanager, self.registry = Broker(), Alertmanager(), CollectorRegistry()
        self.store = IncidentStore.open(folder / "incidents.sqlite")
        self.service = IncidentService(
            self.store,
            tracker(folder, Around()),
            RecentChanges({}),
            Alerts(httpx.Client(transport=httpx.MockTransport(self.alertmanager), base_url="http://a")),
            self.broker,  # type: ignore[arg-type]
            Topics(),
            IncidentMetrics(self.registry),
        )

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return Running(tmp_path)


def test_incident_is_published_and_told_when_it_opens_and_when_it_ends(running: Running) -> None:
    running.service.step(records(abnormal("orders", 0)), at(3))
    running.service.step([], at(16) + QUIET)
    assert [(incident.state, incident.version) for incident in running.broker.incidents()] == [
        ("open", 1),
        ("resolved", 2),
    ]
    ends = [sent[0]["endsAt"] for sent in running.alertmanager.sent]
    assert ends[-1] == at(15).isoformat()
    assert running.store.unpublished() == []
    assert running.metric("faultline_incidents_total", state="open") == 1
    assert running.metric("faultline_incidents_total", state="resolved") == 1
    assert running.metric("faultline_incidents_open") == 0


def test_quiet_step_tells_nobody_anything(running: Running) -> None:
    running.service.step([], at(0))
    assert (running.broker.sent, running.alertmanager.sent) == ([], [])


def test_what_the_broker_did_not_take_is_sent_again_after_a_restart(running: Running, tmp_path: Path) -> None:
    running.broker.away = True
    with pytest.raises(SinkUnavailable, match="did not acknowledge"):
        running.service.step(records(abnormal("orders", 0)), at(3))
    again = Running(tmp_path)
    again.service.step([], at(4))
    (incident,) = again.broker.incidents()
    assert incident.services == ["orders"]
    assert again.store.unpublished() == []


def test_alertmanager_that_is_away_stops_nothing(running: Running) -> None:
    running.alertmanager.status = 500
    running.service.step(records(abnormal("orders", 0)), at(3))
    assert len(running.broker.incidents()) == 1
    running.alertmanager.status = 200
    running.service.step([], at(4))
    assert len(running.alertmanager.sent) == 1


def test_verdict_is_published_and_counts_from_the_next_step_on(running: Running) -> None:
    (opened,) = running.service.step(records(abnormal("orders", 0)), at(3))
    running.service.step([], at(16) + QUIET)
    given = verdict(1, opened.incident_id, Verdict.FALSE, patterns=running.store.subject(opened.incident_id)[0])
    running.store.add_verdict(given)
    running.service.verdicts_changed()
    end = at(16) + QUIET + timedelta(seconds=30)
    assert running.service.step(records(abnormal("orders", 70), first=1), end) == []
    assert [Feedback.from_bytes(value) for topic, _, value in running.broker.sent if topic == "feedback"] == [given]
    assert running.metric("faultline_incident_anomalies_called_normal") == 1
