"""Steps of the tracker, and what is left after it was killed between any two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace as replace_fields
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from faultline.anomalies import AnyAnomaly
from faultline.feedback import Verdict
from faultline.incidents import Incident, IncidentState
from incidents.store import IncidentStore
from incidents.tracker import LOOK_EVERY, Arrived, Knowledge, Surroundings, Tracker
from spark.models.root_cause.calls import wait_series
from spark.models.root_cause.flow import Counts, Step, count_steps
from spark.models.root_cause.grouping import QUIET
from spark.models.root_cause.model import RootCauseModel
from spark.models.root_cause.numbers import Series
from spark.models.root_cause.ranker import Ranker
from spark.models.root_cause.requests import SeenRequests
from spark.models.root_cause.situation import Change
from tests.faultline.catalog.test_entities import entity
from tests.faultline.test_feedback import verdict
from tests.spark.models.root_cause.pieces import at
from tests.spark.models.root_cause.test_flow import window
from tests.spark.models.root_cause.test_grouping import GRAPH, line, service
from tests.spark.models.root_cause.test_model import MODEL


class Around:
    """Requests and changes as a step finds them."""

    def __init__(self) -> None:
        self.counts: Counts = Counter()
        self.waits: dict[Series, float] = {}
        self.told: list[Change] = []
        self.alike: dict[str, float] = {}
        self.compared: list[tuple[list[str], list[str]]] = []
        self.looks: list[tuple[datetime, datetime]] = []

    def see(self, begin: datetime, end: datetime) -> SeenRequests:
        self.looks.append((begin, end))
        return SeenRequests(self.counts, self.waits)

    def changes(self, begin: datetime, end: datetime) -> Sequence[Change]:
        return self.told

    def similarity(self, lines: Sequence[str], names: Iterable[str]) -> dict[str, float]:
        self.compared.append((list(lines), list(names)))
        return {name: self.alike.get(name, 0.0) for name in names}


@pytest.fixture
def around() -> Around:
    return Around()


def tracker(tmp_path: Path, around: Around, model: RootCauseModel = MODEL) -> Tracker:
    knowledge = Knowledge(GRAPH, {}, Ranker.prior(), model.usual, {"asked": "charge asked"}, "m1")
    store = IncidentStore.open(tmp_path / "incidents.sqlite")
    return Tracker(store, knowledge, Surroundings(around.see, around.changes, around.similarity))


def records(*anomalies: AnyAnomaly, first: int = 0) -> list[Arrived]:
    return [Arrived(0, first + i, anomaly.to_bytes()) for i, anomaly in enumerate(anomalies)]


def test_incident_is_opened_updated_and_resolved(tmp_path: Path, around: Around) -> None:
    found = tracker(tmp_path, around)
    (opened,) = found.step(records(service("orders", 0)), at(3))
    (updated,) = found.step(records(service("storefront", 4), first=1), at(6))
    end = at(19) + QUIET + timedelta(seconds=1)
    (resolved,) = found.step([], end)
    assert {opened.incident_id, updated.incident_id, resolved.incident_id} == {opened.incident_id}
    assert [incident.version for incident in (opened, updated, resolved)] == [1, 2, 3]
    assert [incident.state for incident in (opened, updated, resolved)] == ["open", "open", "resolved"]
    assert (updated.services, resolved.resolved_at) == (["orders", "storefront"], at(19))
    assert opened.model_version == "m1"
    assert found.step([], end + timedelta(hours=1)) == []


def test_requests_speak_for_a_service_that_says_nothing(tmp_path: Path, around: Around) -> None:
    around.counts = count_steps(window(0, 20))  # payments declines all
    (opened,) = tracker(tmp_path, around).step(records(service("orders", 0, deviation=3.0)), at(3))
    assert opened.causes[0].name == "payments"
    assert any("declined" in evidence.text for evidence in opened.causes[0].evidence)


def test_slow_way_to_a_service_speaks_for_it(tmp_path: Path, around: Around) -> None:
    around.waits = {wait_series("orders", "payments"): [7.0]}
    (opened,) = tracker(tmp_path, around).step(records(service("orders", 0, deviation=3.0)), at(3))
    assert opened.causes[0].name == "payments"
    assert any(evidence.text.startswith("wait of orders for it 7") for evidence in opened.causes[0].evidence)


def test_lines_are_compared_with_what_the_catalog_says_of_who_may_be_the_cause(tmp_path: Path, around: Around) -> None:
    around.alike = {"payments": 0.9}
    (opened,) = tracker(tmp_path, around).step(records(line("orders", 0), service("orders", 1)), at(3))
    assert around.compared[-1] == (["card rejected"], ["orders", "payments"])
    payments = next(cause for cause in opened.causes if cause.name == "payments")
    assert [evidence.kind for evidence in payments.evidence if evidence.kind == "text"] == ["text"]


def test_requests_are_looked_at_now_and_then(tmp_path: Path, around: Around) -> None:
    found = tracker(tmp_path, around)
    found.step(records(service("orders", 0)), at(3))
    found.step(records(service("orders", 1), first=1), at(4))
    assert len(around.looks) == 1
    around.counts = Counter({Step("payments", "asked", "declined"): 50})
    (later,) = found.step([], at(3) + LOOK_EVERY)
    assert len(around.looks) == 2
    assert later.version == 3
    assert any(cause.name == "payments" for cause in later.causes)


def test_changes_are_candidates(tmp_path: Path, around: Around) -> None:
    around.told = [Change("c1", at(-10), "orders runs 2.0, before 1.0", ("orders",))]
    (opened,) = tracker(tmp_path, around).step(records(service("orders", 0)), at(3))
    assert "c1" in [cause.name for cause in opened.causes]


def test_service_is_taken_by_the_catalogs_name_for_it(tmp_path: Path, around: Around) -> None:
    alias = entity("orders", log_names=("orders", "orders-v2"))
    found = tracker(tmp_path, around)
    found.knowledge = replace_fields(found.knowledge, catalog={name: alias for name in alias.log_names})
    around.waits = {wait_series("orders-v2", "payments"): [7.0]}
    (opened,) = found.step(records(service("orders-v2", 0), service("storefront", 1)), at(3))
    assert opened.services == ["orders", "storefront"]  # one incident: the graph knows orders
    assert "orders-v2" not in [cause.name for cause in opened.causes]


def test_lone_line_is_kept_and_tells_nothing(tmp_path: Path, around: Around) -> None:
    found = tracker(tmp_path, around)
    assert found.step(records(line("orders", 0)), at(1)) == []
    assert tracker(tmp_path, around).offsets == {0: 1}


def test_record_that_is_no_anomaly_is_counted_and_passed(tmp_path: Path, around: Around) -> None:
    found = tracker(tmp_path, around)
    incidents = found.step([Arrived(0, 0, b"{}"), *records(service("orders", 0), first=1)], at(3))
    assert (found.unreadable, len(incidents), found.offsets) == (1, 1, {0: 2})


@pytest.mark.parametrize("killed_after", range(5))
def test_killed_tracker_opens_every_incident_once(tmp_path: Path, around: Around, killed_after: int) -> None:
    stream = [
        service("orders", 0),
        line("orders", 1),
        service("storefront", 2),
        service("ledger", 3),
        service("orders", 17),
    ]

    def run(folder: Path, killed: int | None) -> dict[str, Incident]:
        folder.mkdir()
        found, told = tracker(folder, around), dict[str, Incident]()
        for offset in range(len(stream)):
            if offset == killed:
                found = tracker(folder, around)  # all that was in memory is gone
                offset = found.offsets.get(0, 0)  # noqa: PLW2901 - it goes on where it had come
            changed = found.step(records(stream[offset], first=offset), at(20 + offset))
            told |= {incident.incident_id: incident for incident in changed}
        return told

    whole, killed = run(tmp_path / "whole", None), run(tmp_path / "killed", killed_after)
    # Requests are looked at again, which makes a version more; all else is the same.
    same = {"version": 0, "updated_at": at(0)}
    assert [replace(incident, **same) for incident in killed.values()] == [
        replace(incident, **same) for incident in whole.values()
    ]
    assert sorted(incident.state for incident in whole.values()) == [IncidentState.OPEN] * 2


def test_records_delivered_again_change_nothing(tmp_path: Path, around: Around) -> None:
    found = tracker(tmp_path, around)
    found.step(records(service("orders", 0)), at(3))
    assert found.step(records(service("orders", 0), first=1), at(4)) == []


def test_pattern_that_was_called_normal_opens_nothing_more_until_that_is_undone(tmp_path: Path, around: Around) -> None:
    found = tracker(tmp_path, around)
    (opened,) = found.step(records(service("orders", 0)), at(3))
    found.step([], at(16) + QUIET)
    store = IncidentStore.open(tmp_path / "incidents.sqlite")
    patterns, _ = store.subject(opened.incident_id)
    store.add_verdict(verdict(1, opened.incident_id, Verdict.FALSE, patterns=patterns))
    found.learn()
    assert found.step(records(service("orders", 100), first=1), at(103)) == []
    assert found.called_normal == 1
    assert len(found.step(records(service("storefront", 100), first=2), at(104))) == 1
    store.add_verdict(verdict(2, opened.incident_id, Verdict.FALSE, undoes="f1"))
    found.learn()
    assert len(found.step(records(service("orders", 105), first=3), at(108))) == 1


def test_verdicts_count_after_a_restart(tmp_path: Path, around: Around) -> None:
    (opened,) = tracker(tmp_path, around).step(records(service("orders", 0)), at(3))
    store = IncidentStore.open(tmp_path / "incidents.sqlite")
    patterns, _ = store.subject(opened.incident_id)
    store.add_verdict(verdict(1, opened.incident_id, Verdict.FALSE, patterns=patterns))
    again = tracker(tmp_path, around)
    again.step(records(service("orders", 1), first=1), at(4))
    assert again.called_normal == 1
