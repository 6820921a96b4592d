"""Changes as candidates."""

from __future__ import annotations

from faultline.changes import ChangeEvent, ChangeKind, restart, version_change
from spark.models.root_cause.changes import LATE, RESULT, REVISION, ROLLOUT, as_candidates
from tests.faultline.catalog.test_entities import entity
from tests.spark.models.root_cause.pieces import at

CATALOG = {name: entity(name) for name in ("orders", "payments")}


def told(second: float, text: str, kind: ChangeKind = ChangeKind.COMMIT, **attributes: str) -> ChangeEvent:
    return ChangeEvent(
        at=at(second), attributes=attributes, event_id=f"{kind} {second}", kind=kind, service_name="", text=text
    )


def commit(second: float, text: str, revision: str) -> ChangeEvent:
    return told(second, text, **{REVISION: revision})


def pipeline(second: float, revision: str, result: str = "") -> ChangeEvent:
    return told(second, f"deploy {result}", ChangeKind.PIPELINE, **{REVISION: revision, RESULT: result})


def services(*events: ChangeEvent) -> dict[str, tuple[str, ...]]:
    return {change.text: change.services for change in as_candidates(events, CATALOG)}


def test_version_is_of_its_service() -> None:
    assert services(version_change("orders", at(0), "1", "2")) == {"orders runs version 2, before 1": ("orders",)}


def test_version_of_an_alias_is_of_the_service() -> None:
    alias = entity("orders", log_names=("orders", "orders-v2"))
    (change,) = as_candidates([version_change("orders-v2", at(0), "1", "2")], {n: alias for n in alias.log_names})
    assert change.services == ("orders",)


def test_commit_and_pipeline_of_a_revision_are_one_change_of_the_services_it_brought_out() -> None:
    (change,) = as_candidates(
        [
            commit(-30, "Round amounts, as payments does", "a1"),
            pipeline(-20, "a1"),
            restart("orders", at(-3)),
            pipeline(0, "a1", "success"),
            version_change("orders", at(4), "1", "2"),
        ],
        CATALOG,
    )
    assert change.services == ("orders",)  # not whom the text names
    assert change.text == "Round amounts, as payments does; orders runs version 2, before 1"
    assert (change.event_id, change.at) == ("commit -30", at(-3))


def test_new_process_belongs_to_the_latest_change_that_was_under_way() -> None:
    found = services(
        commit(-100, "Older", "a1"),
        pipeline(-90, "a1", "success"),
        commit(-30, "Newer", "a2"),
        restart("orders", at(0)),
        restart("payments", at(ROLLOUT.total_seconds())),
    )
    assert found == {"Older": (), "Newer": ("orders",), "payments was started": ("payments",)}


def test_new_process_after_a_pipeline_has_ended_is_a_change_of_its_own() -> None:
    late = restart("orders", at(1) + LATE)
    found = services(commit(-9, "Round amounts", "a1"), pipeline(0, "a1", "success"), late)
    assert found == {"Round amounts": (), "orders was started": ("orders",)}


def test_pipeline_that_takes_long_is_one_change_with_what_it_brings_out() -> None:
    (change,) = as_candidates(
        [
            commit(0, "Round amounts", "a1"),
            pipeline(5, "a1"),
            restart("orders", at(505)),
            version_change("orders", at(510), "1", "2"),
            pipeline(540, "a1", "success"),
        ],
        CATALOG,
    )
    assert (change.services, change.at) == (("orders",), at(505))
    assert change.kinds == {ChangeKind.COMMIT, ChangeKind.PIPELINE, ChangeKind.RESTART, ChangeKind.VERSION}


def test_restart_of_another_service_is_not_of_a_commit_that_names_its_own() -> None:
    found = services(commit(0, "orders: new pool", "a1"), restart("payments", at(100)))
    assert found == {"orders: new pool": ("orders",), "payments was started": ("payments",)}


def test_service_that_starts_again_and_again_has_changed_once() -> None:
    starts = [restart("orders", at(5.0 * i)) for i in range(9)]
    (change,) = as_candidates([*starts, version_change("orders", at(2), "1", "2")], CATALOG)
    assert (change.at, change.services) == (at(0), ("orders",))


def test_change_is_of_the_services_that_its_text_names_as_words() -> None:
    found = services(told(0, "Payments: new port (see orders)"), told(1, "reorders and repayments"))
    assert found == {"Payments: new port (see orders)": ("orders", "payments"), "reorders and repayments": ()}


def test_event_of_the_cloud_is_of_no_rollout() -> None:
    cloud = told(-5, "ec2 StopInstances", ChangeKind.CLOUD)
    assert services(cloud, version_change("orders", at(0), "1", "2"))["ec2 StopInstances"] == ()


def test_changes_come_in_order_of_time() -> None:
    assert [change.text for change in as_candidates([told(3, "c"), told(1, "a"), told(2, "b")], {})] == ["a", "b", "c"]
