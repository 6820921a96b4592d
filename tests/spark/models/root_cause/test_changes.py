"""Changes as candidates."""

from __future__ import annotations

from faultline.changes import ChangeEvent, ChangeKind, version_change
from spark.models.root_cause.changes import ROLLOUT, as_candidates
from tests.faultline.catalog.test_entities import entity
from tests.spark.models.root_cause.pieces import at

CATALOG = {name: entity(name) for name in ("orders", "payments")}


def told(second: float, text: str, kind: ChangeKind = ChangeKind.COMMIT) -> ChangeEvent:
    return ChangeEvent(at=at(second), attributes={}, event_id=f"{kind} {second}", kind=kind, service_name="", text=text)


def services(*events: ChangeEvent) -> dict[str, tuple[str, ...]]:
    return {change.text: change.services for change in as_candidates(events, CATALOG)}


def test_version_is_of_its_service() -> None:
    assert services(version_change("orders", at(0), "1", "2")) == {"orders runs version 2, before 1": ("orders",)}


def test_commit_and_pipeline_shortly_before_a_version_are_of_its_rollout() -> None:
    found = services(
        told(-20, "Round amounts"),
        told(-10, "workflow deploy: in_progress", ChangeKind.PIPELINE),
        version_change("orders", at(0), "1", "2"),
        told(-ROLLOUT.total_seconds() - 1, "Something older"),
        told(1, "Something newer"),
    )
    assert found["Round amounts"] == found["workflow deploy: in_progress"] == ("orders",)
    assert found["Something older"] == found["Something newer"] == ()


def test_change_is_of_the_services_that_its_text_names_as_words() -> None:
    found = services(told(0, "Payments: new port (see orders)"), told(1, "reorders and repayments"))
    assert found == {"Payments: new port (see orders)": ("orders", "payments"), "reorders and repayments": ()}


def test_event_of_the_cloud_is_of_no_rollout() -> None:
    cloud = told(-5, "ec2 StopInstances", ChangeKind.CLOUD)
    assert services(cloud, version_change("orders", at(0), "1", "2"))["ec2 StopInstances"] == ()


def test_changes_come_in_order_of_time() -> None:
    assert [change.text for change in as_candidates([told(3, "c"), told(1, "a"), told(2, "b")], {})] == ["a", "b", "c"]
