"""The HTTP interface, as a program or a person uses it, and as they should not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry, Counter

from faultline.incidents import IncidentState
from incidents.api import MAX_BODY_BYTES, Context, build_app
from incidents.store import IncidentStore
from spark.models.root_cause.grouping import Grouping
from tests.faultline.test_feedback import SLOW
from tests.incidents.test_store import numbered

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
VERDICT = {"verdict": "false", "who": "robin", "note": "a <b>load test</b>"}


class Api:
    """A client, and how often the tracker was told to learn."""

    def __init__(self, store: IncidentStore) -> None:
        self.store, self.learned = store, 0
        registry = CollectorRegistry()
        Counter("told_total", "Told.", registry=registry)
        ticks = count()
        clock = lambda: NOON + timedelta(seconds=next(ticks))  # noqa: E731 - one line says it
        context = Context(store, registry, lambda: {"orders", "ledger"}, self._learn, clock)
        self.client = TestClient(build_app(context), raise_server_exceptions=True)

    def _learn(self) -> None:
        self.learned += 1

    def give(self, incident_id: str = "i1", **fields: Any) -> Any:
        return self.client.post(f"/v1/incidents/{incident_id}/feedback", json={**VERDICT, **fields})


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    store = IncidentStore.open(tmp_path / "incidents.sqlite")
    incidents = [numbered(i, IncidentState.OPEN if i == 3 else IncidentState.RESOLVED) for i in range(4)]
    store.commit(Grouping(), {}, incidents, {"i1": [SLOW]})
    yield Api(store)
    store.close()


def error(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_incidents_come_newest_first_page_by_page(api: Api) -> None:
    first = api.client.get("/v1/incidents", params={"limit": 3}).json()
    assert [incident["incident_id"] for incident in first["incidents"]] == ["i3", "i2", "i1"]
    second = api.client.get("/v1/incidents", params={"limit": 3, "before": first["next"]}).json()
    assert ([incident["incident_id"] for incident in second["incidents"]], second["next"]) == (["i0"], "")
    open_ = api.client.get("/v1/incidents", params={"state": "open"}).json()["incidents"]
    assert [incident["incident_id"] for incident in open_] == ["i3"]


def test_incident_has_its_causes_with_evidence_and_its_verdicts(api: Api) -> None:
    api.give()
    found = api.client.get("/v1/incidents/i1").json()
    assert found["incident"]["causes"][0]["evidence"][0]["text"] == "<b>odd</b>"
    assert [verdict["note"] for verdict in found["verdicts"]] == ["a <b>load test</b>"]
    assert api.client.get("/v1/incidents/i1").headers["content-type"] == "application/json"


def test_verdict_is_kept_with_who_and_when_and_learned_from(api: Api) -> None:
    answer = api.give(cause="orders")
    assert answer.status_code == 201
    given = answer.json()
    assert (given["incident_id"], given["verdict"], given["who"], given["cause"]) == ("i1", "false", "robin", "orders")
    assert given["at"] == "2026-03-01T12:00:00Z"
    assert api.learned == 1
    (learned,) = api.client.get("/v1/learned").json()["learned"]
    assert learned["pattern"] == {"kind": "time", "pattern": "p95:duration_ms", "service_name": "orders"}
    assert (learned["normal"], learned["feedback_id"]) == (True, given["feedback_id"])


def test_verdict_can_be_taken_back_and_both_stay_on_record(api: Api) -> None:
    given = api.give().json()["feedback_id"]
    answer = api.client.delete(f"/v1/feedback/{given}", params={"who": "kim"})
    assert (answer.status_code, answer.json()["undoes"], answer.json()["who"]) == (200, given, "kim")
    assert api.client.get("/v1/learned").json() == {"learned": []}
    assert len(api.client.get("/v1/incidents/i1").json()["verdicts"]) == 2
    assert error(api.client.delete(f"/v1/feedback/{answer.json()['feedback_id']}", params={"who": "kim"}))[0] == 404


def test_later_verdict_takes_the_place_of_an_earlier_one(api: Api) -> None:
    api.give()
    api.give(verdict="true")
    learned = api.client.get("/v1/learned").json()["learned"]
    assert [item["normal"] for item in learned] == [False]


@pytest.mark.parametrize("incident_id", ["i9", "..", "%00", "i1' OR '1'='1"])
def test_unknown_incident_is_said_so(api: Api, incident_id: str) -> None:
    answer = api.client.get(f"/v1/incidents/{incident_id}/x".removesuffix("/x"))
    assert answer.status_code in (404, 405) or answer.url.path == "/v1/incidents"
    assert error(api.give("i9")) == (404, "unknown_incident")
    assert api.learned == 0


def test_cause_that_nobody_knows_is_refused_with_what_is_known(api: Api) -> None:
    answer = api.give(cause="nobody")
    assert error(answer) == (422, "unknown_cause")
    assert answer.json()["error"]["text"] == "cause is 'nobody', expected a service, or one of orders"
    assert api.give(cause="ledger").status_code == 201


@pytest.mark.parametrize(
    "fields",
    [{"verdict": "maybe"}, {"who": ""}, {"who": "x" * 201}, {"note": "x" * 4001}, {"who": None}, {"cause": "x" * 257}],
)
def test_bad_verdict_is_refused_field_by_field(api: Api, fields: dict[str, Any]) -> None:
    answer = api.give(**fields)
    assert error(answer) == (422, "invalid")
    assert answer.json()["error"]["text"].startswith(next(iter(fields)))
    assert api.store.verdicts() == []


def test_body_that_is_too_long_or_no_json_is_refused(api: Api) -> None:
    url = "/v1/incidents/i1/feedback"
    assert error(api.give(note="x" * MAX_BODY_BYTES)) == (413, "too_large")
    assert error(api.client.post(url, content=b"a=b", headers={"content-type": "text/plain"})) == (415, "not_json")
    assert error(api.client.post(url, content=b"{", headers={"content-type": "application/json"})) == (422, "invalid")
    assert error(api.client.post(url, content=iter([b"{}"]), headers={"content-type": "application/json"}))[0] == 413


@pytest.mark.parametrize("query", ["state=gone", "limit=0", "limit=101", "before=yesterday"])
def test_bad_query_is_refused(api: Api, query: str) -> None:
    assert api.client.get(f"/v1/incidents?{query}").status_code == 422


def test_pages_of_other_hosts_are_not_answered(api: Api) -> None:
    assert api.client.get("/v1/incidents", headers={"host": "evil.example"}).status_code == 400


def test_health_and_metrics(api: Api) -> None:
    assert api.client.get("/health").json() == {"status": "ok"}
    assert "told_total 0.0" in api.client.get("/metrics").text
