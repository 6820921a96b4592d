"""Anomalies become incidents: opened once, joined, merged, resolved."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import msgspec
import pytest

from faultline.anomalies import Anomaly, AnyAnomaly, ServiceAnomaly, SessionAnomaly
from faultline.catalog.graph import DependencyGraph, Edge
from faultline.incidents import IncidentState
from spark.models.root_cause import grouping as subject
from spark.models.root_cause.grouping import (
    JOIN,
    LINE_WINDOW,
    MAX_OPEN,
    MAX_SYMPTOMS,
    QUIET,
    REMEMBERED,
    Group,
    Grouping,
)
from tests.spark.models.root_cause.pieces import at
from tests.spark.models.root_cause.test_symptoms import abnormal_line, abnormal_service, moved

# storefront -> orders -> payments; ledger -> archive have nothing to do with them.
GRAPH = DependencyGraph([Edge("storefront", "orders"), Edge("orders", "payments"), Edge("ledger", "archive")])


def service(name: str, second: float, deviation: float = 8.0) -> ServiceAnomaly:
    start = at(second)
    event_id = sha256(f"{name} {second}".encode()).hexdigest()
    whole = abnormal_service(moved("p95:duration_seconds", 2.0, 0.1, deviation))
    end = start + timedelta(seconds=15)
    return msgspec.structs.replace(
        whole, service_name=name, since=start, window_start=start, window_end=end, event_id=event_id
    )


def line(name: str, second: float, trace: str = "", number: int = 0) -> Anomaly:
    event_id = sha256(f"line {name} {second} {number}".encode()).hexdigest()
    return msgspec.structs.replace(
        abnormal_line(), service_name=name, timestamp=at(second), event_id=event_id, trace_id=trace
    )


def feed(*anomalies: AnyAnomaly) -> tuple[Grouping, list[Group]]:
    state = Grouping()
    return state, [group for anomaly in anomalies for group in state.take(anomaly, GRAPH)]


def test_related_services_are_one_incident() -> None:
    state, _ = feed(service("orders", 0), service("storefront", 3), service("payments", 5))
    (group,) = state.groups.values()
    assert list(group.services) == ["orders", "storefront", "payments"]
    assert (group.opened_at, group.anomalies) == (at(15), 3)  # when the first window was over


def test_unrelated_services_are_two_incidents() -> None:
    state, _ = feed(service("orders", 0), service("ledger", 1))
    assert [list(group.services) for group in state.groups.values()] == [["orders"], ["ledger"]]


def test_service_that_nobody_knows_joins_by_time_alone() -> None:
    late = LINE_WINDOW.total_seconds() + 16
    state, _ = feed(service("orders", 0), service("mystery", 10), service("riddle", late + 15))
    assert [list(group.services) for group in state.groups.values()] == [["orders", "mystery"], ["riddle"]]


def test_shared_request_joins_what_the_graph_does_not() -> None:
    state, _ = feed(service("orders", 0), line("orders", 1, "t1"), service("ledger", 2), line("ledger", 3, "t1"))
    (group,) = state.groups.values()
    assert sorted(group.services) == ["ledger", "orders"]


def test_two_incidents_that_turn_out_to_be_one_are_merged_into_the_older() -> None:
    graph = DependencyGraph([Edge("a", "b"), Edge("b", "c"), Edge("c", "d"), Edge("d", "e"), Edge("e", "f")])
    state = Grouping()
    state.take(service("a", 0), graph)
    state.take(service("e", 1), graph)
    assert len(state.groups) == 2
    merged, kept = state.take(service("c", 2), graph)
    assert (merged.state, merged.merged_into) == (IncidentState.MERGED, kept.incident_id)
    assert (kept.state, sorted(kept.services), kept.anomalies) == (IncidentState.OPEN, ["a", "c", "e"], 3)
    assert list(state.groups) == [kept.incident_id]


def test_what_comes_long_after_is_another_incident() -> None:
    state, _ = feed(service("orders", 0), service("orders", 16 + JOIN.total_seconds()))
    assert len(state.groups) == 2


def test_lone_line_opens_nothing() -> None:
    state, changed = feed(line("orders", 0), line("storefront", 1))
    assert changed == []
    assert len(state.pending) == 2


def test_line_waits_for_its_service_and_then_belongs_to_the_incident() -> None:
    state, _ = feed(line("orders", 0), line("ledger", 0), service("orders", 3))
    (group,) = state.groups.values()
    assert (group.anomalies, group.opened_at) == (2, at(0))
    assert [waiting.service_name for waiting in state.pending] == ["ledger"]


@pytest.mark.parametrize(
    ("lines", "opens"),
    [
        ([("orders", 0), ("orders", 1), ("orders", 2)], True),
        ([("orders", 0), ("orders", 1), ("orders", 17)], False),
        ([(name, second) for name in ("orders", "payments", "storefront") for second in (0, 1)], True),
        ([(name, second) for name in ("orders", "payments") for second in (0, 1)], False),
    ],
)
def test_lines_open_an_incident_as_they_raise_the_alert(lines: list[tuple[str, float]], opens: bool) -> None:
    state, _ = feed(*(line(*which) for which in lines))
    assert bool(state.groups) == opens
    if opens:
        (group,) = state.groups.values()
        assert group.anomalies == len(lines)


def test_same_anomaly_again_changes_nothing() -> None:
    state, first = feed(service("orders", 0))
    assert len(first) == 1
    assert state.take(service("orders", 0), GRAPH) == []


def test_replay_gives_the_same_incidents() -> None:
    anomalies = [service("orders", 0), line("orders", 1), service("storefront", 3)]
    assert msgspec.json.encode(feed(*anomalies)[0]) == msgspec.json.encode(feed(*anomalies)[0])


def test_quiet_incident_is_resolved_once() -> None:
    state, _ = feed(service("orders", 0))
    end = at(15) + QUIET
    assert state.close(end) == []
    (resolved,) = state.close(end + timedelta(seconds=1))
    assert resolved.state is IncidentState.RESOLVED
    assert state.close(end + timedelta(seconds=2)) == []
    state.take(service("orders", 90), GRAPH)
    assert [group.incident_id != resolved.incident_id for group in state.groups.values()] == [True]


def test_lines_that_waited_in_vain_are_forgotten() -> None:
    state, _ = feed(line("orders", 0))
    state.close(at(JOIN.total_seconds() + 1))
    assert state.pending == []


def session(name: str, second: float, key: str = "k") -> SessionAnomaly:
    return SessionAnomaly(
        detector="session",
        event_id=f"{name} {second} {key}",
        explanation=f"{name} leaves a step out",
        first=at(second - 1),
        last=at(second),
        model_version="m",
        moved=[],
        p_value=1e-4,
        score=1.0,
        service_name=name,
        services=[name],
        session_key=key,
    )


def test_session_alone_opens_nothing_and_three_do() -> None:
    state, changed = feed(session("orders", 0, "a"), line("orders", 1), line("orders", 2), session("orders", 3, "b"))
    assert changed == []
    state.take(session("orders", 4, "c"), GRAPH)
    (group,) = state.groups.values()
    assert group.anomalies == 5


def test_session_of_an_incident_that_is_over_opens_none() -> None:
    state, _ = feed(service("orders", 0))
    state.close(at(16) + QUIET)
    for number in range(9):
        assert state.take(session("storefront", 10, str(number)), GRAPH) == []
    assert state.groups == {}
    assert state.pending == []
    state.take(service("orders", 50), GRAPH)
    assert len(state.groups) == 1


def test_incidents_that_are_over_are_forgotten_in_the_end() -> None:
    state, _ = feed(service("orders", 0))
    state.close(at(16) + QUIET)
    assert len(state.closed) == 1
    state.close(at(16) + REMEMBERED)
    assert state.closed == {}


def test_state_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "SEEN_IDS", 50)
    monkeypatch.setattr(subject, "PENDING", 10)
    lonely = DependencyGraph(Edge(f"s{i}", f"t{i}") for i in range(MAX_OPEN + 5))
    state = Grouping()
    for i in range(MAX_OPEN + 5):
        state.take(service(f"s{i}", 0), lonely)
        state.take(line(f"u{i}", 500.0 + 40 * i), lonely)
    assert len(state.groups) == MAX_OPEN
    assert "s104" in next(reversed(state.groups.values())).services
    assert (len(state.seen), len(state.pending)) == (50, 10)


def test_symptoms_are_bounded_and_every_service_keeps_its_own() -> None:
    state = Grouping()
    state.take(service("storefront", 1, deviation=1.0), GRAPH)
    for i in range(3 * MAX_SYMPTOMS):
        state.take(service("orders", i / 100, deviation=5.0 + i), GRAPH)
        (group,) = state.groups.values()
        assert len(group.symptoms) <= 2 * MAX_SYMPTOMS
    assert {symptom.service_name for symptom in group.symptoms} == {"orders", "storefront"}


def test_state_survives_being_stored() -> None:
    state, _ = feed(service("orders", 0), line("ledger", 1))
    again = msgspec.json.decode(msgspec.json.encode(state), type=Grouping)
    assert again == state
