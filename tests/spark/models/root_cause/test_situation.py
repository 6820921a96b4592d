"""Candidates and the numbers that speak for them."""

from __future__ import annotations

import math
import random
from dataclasses import replace as changed

import numpy as np
import pytest
from msgspec.structs import replace

from faultline.catalog.entities import RESOURCE, EntityRef
from faultline.catalog.graph import DependencyGraph, Edge
from spark.models.root_cause.situation import (
    CHANGE_SECONDS,
    DECAY,
    FEATURES,
    FIRST_SECONDS,
    LATE_SECONDS,
    MOST_BLAME,
    Change,
    Situation,
    candidates_of,
)
from spark.models.root_cause.symptoms import Symptom, SymptomKind
from tests.faultline.catalog.test_entities import entity
from tests.spark.models.root_cause.pieces import SHOP, at, said, symptom


def features(situation: Situation, name: str) -> dict[str, float]:
    found = candidates_of(situation)
    return dict(zip(FEATURES, found.x[found.names.index(name)].tolist(), strict=True))


def test_candidates_are_who_is_abnormal_and_what_they_depend_on() -> None:
    found = candidates_of(Situation([symptom("orders")], SHOP))
    assert found.names == ("inventory", "orders", "payments")
    assert found.x.shape == (3, len(FEATURES))


def test_nothing_abnormal_has_no_candidate() -> None:
    found = candidates_of(Situation([], SHOP))
    assert found.names == ()
    assert found.x.shape == (0, len(FEATURES))


def test_greatest_symptom_of_a_kind_counts_by_order_of_magnitude() -> None:
    found = features(Situation([symptom("orders", surprise=3.0), symptom("orders", surprise=1000.0)], SHOP), "orders")
    assert found["own_flow"] == 1.0
    assert found["own_time"] == 0.0


def test_dependency_explains_its_callers_less_with_every_hop() -> None:
    situation = Situation([symptom("storefront"), symptom("orders"), symptom("payments")], SHOP)
    assert features(situation, "payments")["explains"] == pytest.approx((1 + DECAY) / 2)
    assert features(situation, "orders")["explains"] == pytest.approx(1 / 2)
    assert features(situation, "storefront")["explains"] == 0.0
    assert features(situation, "inventory")["explains"] == pytest.approx((1 + DECAY) / 3)


def test_caller_is_explained_by_its_worst_dependency() -> None:
    situation = Situation([symptom("storefront"), symptom("payments", surprise=1000.0)], SHOP)
    assert features(situation, "storefront")["explained"] == pytest.approx(DECAY)
    assert features(situation, "payments")["explained"] == 0.0


def test_services_that_call_each_other_in_a_ring_explain_each_other_alike() -> None:
    ring = DependencyGraph([Edge("a", "b"), Edge("b", "c"), Edge("c", "a")])
    rows = [features(Situation([symptom(name) for name in "abc"], ring), name) for name in "abc"]
    assert rows[0] == rows[1] == rows[2]


def test_who_deviated_first_stands_out() -> None:
    situation = Situation([symptom("orders", since=0.0), symptom("storefront", since=FIRST_SECONDS)], SHOP)
    assert features(situation, "orders")["first"] == 1.0
    assert features(situation, "storefront")["first"] == pytest.approx(math.exp(-1))
    assert features(situation, "payments")["first"] == 0.0


def test_service_is_named_by_name_alias_and_address_in_lines_of_others() -> None:
    payments = entity("payments", log_names=("payments", "pay-v2"), addresses=("127.0.0.1:8103",))
    catalog = {name: payments for name in payments.log_names}
    lines = [
        said("orders", "payments: connection refused"),
        said("orders", "POST http://pay-v2/charges failed", since=1),
        said("storefront", "upstream 127.0.0.1:8103 timed out", since=2),
        said("storefront", "repayments are late", since=3),
        said("payments", "payments stops", since=4),
    ]
    assert features(Situation(lines, SHOP, catalog), "payments")["named"] == 1.0  # all that orders says
    assert features(Situation(lines, SHOP, catalog), "orders")["named"] == 0.0


def test_service_that_names_its_dependency_blames_it_and_a_dependency_that_names_its_caller_does_not() -> None:
    lines = [
        said("orders", "payments did not answer"),
        said("orders", "order 7 refused", since=1),
        said("payments", "storefront sent no amount", since=2),
    ]
    assert features(Situation(lines, SHOP), "orders")["blames"] == pytest.approx(1 / 2)
    assert features(Situation(lines, SHOP), "payments")["blames"] == 0.0


def test_what_a_service_says_to_be_another_s_fault_does_not_speak_against_it() -> None:
    lines = [said("orders", "payments did not answer"), symptom("orders"), symptom("orders", SymptomKind.RESOURCE)]
    found = features(Situation(lines, SHOP, {"payments": entity("payments")}), "orders")
    assert max(found["own_said"], found["own_flow"], found["first"]) <= 1 - MOST_BLAME + 1e-9
    assert found["own_resource"] > 0  # which no other can be blamed for
    blamed = [*lines, said("storefront", "orders answered 503"), said("payments", "out of ideas")]
    assert features(Situation(blamed, SHOP), "payments")["named"] == 1.0
    passed_on = features(Situation(blamed, SHOP), "orders")["named"]
    assert passed_on == pytest.approx(1 - MOST_BLAME)  # it passes the blame on


def test_time_of_a_caller_contains_that_of_whom_it_waits_for() -> None:
    slow = [symptom(name, SymptomKind.TIME, surprise=1000.0) for name in ("orders", "payments")]
    assert features(Situation(slow, SHOP), "payments")["own_time"] == 1.0
    assert features(Situation(slow, SHOP), "orders")["own_time"] == 0.0
    waited_for = replace(symptom("orders", SymptomKind.TIME, surprise=1000.0), caller="storefront")
    assert features(Situation([*slow, waited_for], SHOP), "orders")["own_time"] == 1.0


def on_one_host(*symptoms: Symptom) -> Situation:
    """Return a situation of two services that call nobody, on one machine."""
    host = changed(entity("host-1"), ref=EntityRef(RESOURCE, "default", "host-1"))
    graph = DependencyGraph([Edge("orders", "host-1"), Edge("payments", "host-1")])
    return Situation(symptoms, graph, {"host-1": host})


def test_load_that_all_on_a_machine_share_explains_what_they_show() -> None:
    loaded = [symptom(name, SymptomKind.LOAD, surprise=1000.0) for name in ("orders", "payments")]
    situation = on_one_host(*loaded, symptom("orders", surprise=1000.0))
    assert features(situation, "host-1")["own_load"] == 1.0
    assert features(situation, "orders")["own_flow"] == features(situation, "orders")["own_load"] == 0.0
    alone = on_one_host(loaded[0], symptom("orders", surprise=1000.0))  # payments has no more to do than usual
    assert features(alone, "host-1")["own_load"] == 0.0
    assert features(alone, "orders")["own_flow"] == features(alone, "orders")["own_load"] == 1.0


def test_store_that_writes_lines_of_its_own_keeps_them() -> None:
    store = changed(entity("orders-db"), ref=EntityRef(RESOURCE, "default", "orders-db"))
    graph = DependencyGraph([Edge("orders", "orders-db")])
    situation = Situation([symptom("orders"), symptom("orders-db", surprise=1000.0)], graph, {"orders-db": store})
    assert features(situation, "orders-db")["own_flow"] == 1.0


def test_machine_of_one_service_is_not_told_from_it() -> None:
    store = changed(entity("orders-db"), ref=EntityRef(RESOURCE, "default", "orders-db"))
    situation = Situation([symptom("orders")], DependencyGraph([Edge("orders", "orders-db")]), {"orders-db": store})
    assert features(situation, "orders-db")["own_flow"] == 0.0


def test_slow_calls_are_shared_by_what_touches_all_of_them() -> None:
    """The way in and out of orders is slow: one call ends there, two begin there."""

    def slow(caller: str, callee: str) -> Symptom:
        return replace(symptom(callee, SymptomKind.TIME, surprise=1000.0), caller=caller)

    situation = Situation([slow("storefront", "orders"), slow("orders", "payments"), slow("orders", "inventory")], SHOP)
    assert features(situation, "orders")["touches"] == pytest.approx(1.0)
    for other in ("storefront", "payments", "inventory"):
        assert features(situation, other)["touches"] == pytest.approx(1 / 3)
    one_way = Situation([slow("orders", "payments")], SHOP)
    assert features(one_way, "payments")["touches"] == pytest.approx(1.0)
    assert features(one_way, "orders")["touches"] == pytest.approx(1 / 3)  # two of its three ways are as usual
    assert features(Situation([symptom("orders")], SHOP), "orders")["touches"] == 0.0


def test_service_without_an_entry_can_be_named_too() -> None:
    lines = [said("orders", "ledger did not answer"), symptom("ledger")]
    assert features(Situation(lines, SHOP), "ledger")["named"] == 1.0


def change(seconds: float, *services: str) -> Change:
    return Change("c1", at(seconds), "deploy", services)


def test_change_is_a_candidate_with_what_speaks_for_its_service() -> None:
    situation = Situation(
        [symptom("orders"), symptom("storefront", since=9)], SHOP, changes=[change(-3 * CHANGE_SECONDS, "orders")]
    )
    own, of_change = features(situation, "orders"), features(situation, "c1")
    assert of_change["changed"] == own["changed"] == pytest.approx(1 / 4)
    assert of_change["own_flow"] == own["own_flow"]
    assert (of_change["is_change"], own["is_change"]) == (1.0, 0.0)
    assert features(situation, "storefront")["changed"] == 0.0


def test_change_of_a_quiet_service_makes_it_a_candidate() -> None:
    situation = Situation([symptom("storefront")], DependencyGraph([]), changes=[change(-1, "inventory")])
    assert candidates_of(situation).names == ("inventory", "storefront", "c1")


def test_change_long_after_the_begin_is_no_cause() -> None:
    late = Situation([symptom("orders")], SHOP, changes=[change(LATE_SECONDS + 1, "orders")])
    assert features(late, "c1")["changed"] == 0.0
    soon = Situation([symptom("orders")], SHOP, changes=[change(LATE_SECONDS - 1, "orders")])
    assert features(soon, "c1")["changed"] == 1.0


def test_order_of_symptoms_is_irrelevant() -> None:
    symptoms = [symptom(name, kind) for name in ("orders", "payments", "storefront") for kind in SymptomKind]
    shuffled = random.Random(7).sample(symptoms, len(symptoms))
    one, other = candidates_of(Situation(symptoms, SHOP)), candidates_of(Situation(shuffled, SHOP))
    assert one.names == other.names
    np.testing.assert_allclose(one.x, other.x)


def test_numbers_lie_between_nought_and_one() -> None:
    symptoms = [symptom("orders", kind, surprise) for kind in SymptomKind for surprise in (0.0, 1.0, 1000.0)]
    situation = Situation([*symptoms, said("payments", "orders is gone")], SHOP, changes=[change(-5, "orders")])
    x = candidates_of(situation).x
    assert ((x >= 0) & (x <= 1)).all()


def test_time_of_symptoms_may_be_unknown() -> None:
    assert features(Situation([symptom("orders", since=None)], SHOP), "orders")["first"] == 0.0
