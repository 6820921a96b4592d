"""Anomalies become incidents on a real broker and a real Alertmanager, also when the process is killed."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest

from faultline.artifact import point, publish
from faultline.config import Paths, Ports, kafka_bootstrap
from faultline.feedback import Feedback
from faultline.incidents import Incident
from faultline.kafka_io import make_producer, read_topic
from faultline.stack.leftovers import find_leftovers
from faultline.stack.lifecycle import Stack
from faultline.stack.progress import Progress
from faultline.stack.supervisor import Supervisor
from spark.models.root_cause.release import extend
from tests.conftest import require_java, stack_environ
from tests.spark.conftest import encoder, model_folder  # noqa: F401 - fixtures
from tests.spark.models.root_cause.test_release import SEEN
from tests.spark.models.root_cause.test_symptoms import abnormal_service, moved

pytestmark = [pytest.mark.integration, pytest.mark.slow]

WAIT_SECONDS = 30.0


@dataclass
class Running:
    """Broker, Alertmanager and the incident process, without a stream: the tests write the anomalies."""

    environ: dict[str, str]

    def tell(self, *services: str, seconds_ago: float = 0.0) -> None:
        """Write what the stream writes when services are abnormal."""
        producer = make_producer(kafka_bootstrap(self.environ), "test")
        end = datetime.now(UTC) - timedelta(seconds=seconds_ago)
        for service in services:
            whole = abnormal_service(moved("p95:duration_ms", 2.0, 0.1, 8.0))
            fields = {"since": end, "window_start": end - timedelta(seconds=15), "window_end": end}
            anomaly = msgspec.structs.replace(whole, service_name=service, event_id=uuid4().hex, **fields)
            producer.produce("anomalies", key=anomaly.event_id.encode(), value=anomaly.to_bytes())
        assert producer.flush(20) == 0

    def get(self, path: str) -> Any:
        return httpx.get(f"http://127.0.0.1:{Ports.from_env(self.environ).incidents}{path}", timeout=5).json()

    def incidents(self) -> list[dict[str, Any]]:
        return list(self.get("/v1/incidents")["incidents"])

    def alerts(self) -> list[dict[str, Any]]:
        url = f"http://127.0.0.1:{Ports.from_env(self.environ).alertmanager}/api/v2/alerts"
        return [found for found in httpx.get(url, timeout=5).json() if found["labels"]["alertname"] == "Incident"]

    def topic(self, name: str) -> list[bytes]:
        return [message.value() or b"" for message in read_topic(kafka_bootstrap(self.environ), name)]


@pytest.fixture(scope="module")
def running(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:  # noqa: F811
    require_java()
    environ = stack_environ(tmp_path_factory.mktemp("incidents") / "home")
    models = Paths.from_env(environ).models
    models.mkdir(parents=True)
    (models / "encoder").symlink_to(model_folder.parent / "encoder")
    (models / "work").mkdir()
    extend(model_folder, models / "work", SEEN, [])
    point(models, "champion", publish(models / "work", models).name)
    stack = Stack.from_env(environ, Progress(io.StringIO()))
    try:
        stack.up(["incidents"])
        yield Running(environ)
    finally:
        stack.down()
        assert find_leftovers(Paths.from_env(environ)) == []


def eventually(look: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    """Return what is seen when it is as wanted; fails with what was seen last."""
    deadline, seen = monotonic() + WAIT_SECONDS, None
    while monotonic() < deadline:
        try:
            seen = look()
        except httpx.HTTPError as error:
            seen = error
        else:
            if wanted(seen):
                return seen
        sleep(0.2)
    raise AssertionError(f"after {WAIT_SECONDS:.0f} s: {seen!r}")


def test_anomalies_of_services_that_belong_together_are_one_incident_and_one_alert(running: Running) -> None:
    running.tell("payments", "orders", "storefront")
    (incident,) = eventually(running.incidents, lambda found: found and len(found[0]["services"]) == 3)
    assert incident["state"] == "open"
    assert incident["causes"][0]["name"] == "payments"  # orders and storefront depend on it, says the catalog
    (alert,) = eventually(running.alerts, lambda found: len(found) == 1)
    assert alert["labels"]["incident_id"] == incident["incident_id"]
    assert alert["annotations"]["description"] == incident["explanation"]


def test_killed_process_goes_on_and_opens_nothing_twice(running: Running) -> None:
    (before,) = running.incidents()
    pid = Supervisor(running.environ).states()["incidents"].pid
    os.kill(pid, signal.SIGKILL)
    running.tell("orders")
    (after,) = eventually(running.incidents, lambda found: found[0]["anomalies"] > before["anomalies"])
    assert after["incident_id"] == before["incident_id"]
    assert {Incident.from_bytes(value).incident_id for value in running.topic("incidents")} == {before["incident_id"]}


def test_quiet_incident_is_resolved_and_so_is_its_alert(running: Running) -> None:
    (incident,) = eventually(running.incidents, lambda found: found[0]["state"] == "resolved")
    assert incident["resolved_at"]
    eventually(running.alerts, lambda found: found == [])
    states = [Incident.from_bytes(value).state for value in running.topic("incidents")]
    assert states[-1] == "resolved"


def test_false_alarm_stays_quiet_the_next_time_until_that_is_undone(running: Running) -> None:
    (incident,) = running.incidents()
    url = f"http://127.0.0.1:{Ports.from_env(running.environ).incidents}/v1"
    body = {"verdict": "false", "who": "robin"}
    given = httpx.post(f"{url}/incidents/{incident['incident_id']}/feedback", json=body).json()
    (told,) = eventually(lambda: running.topic("feedback"), lambda found: len(found) == 1)
    assert Feedback.from_bytes(told).feedback_id == given["feedback_id"]
    running.tell("payments", "orders")
    running.tell("inventory")
    found = eventually(running.incidents, lambda found: len(found) == 2)
    assert found[0]["services"] == ["inventory"]
    assert httpx.delete(f"{url}/feedback/{given['feedback_id']}", params={"who": "kim"}).status_code == 200
    running.tell("orders")
    eventually(running.incidents, lambda found: "orders" in found[0]["services"])
