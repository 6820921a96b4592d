"""Calls learned from the times of requests."""

from __future__ import annotations

import math
import random
from statistics import median

import pytest

from faultline.catalog.graph import Edge
from spark.models.root_cause.calls import (
    MAX_PARTS,
    MIN_REQUESTS,
    WAIT_REQUESTS,
    Part,
    learn_edges,
    upstream_edges,
    wait_series,
    waits,
)


def checkout(number: int) -> list[Part]:
    """storefront calls orders, which calls inventory and then payments."""
    t, request = 100.0 * number, f"r{number}"
    return [
        Part("storefront", request, t, t + 0.1),
        Part("orders", request, t + 0.01, t + 0.09),
        Part("inventory", request, t + 0.02, t + 0.03),
        Part("payments", request, t + 0.04, t + 0.08),
    ]


PARTS = [part for number in range(20) for part in checkout(number)]
CALLS = [Edge("orders", "inventory", 20), Edge("orders", "payments", 20), Edge("storefront", "orders", 20)]


def test_parent_is_the_shortest_part_around() -> None:
    assert learn_edges(PARTS) == CALLS


def test_order_is_irrelevant() -> None:
    assert learn_edges(random.Random(7).sample(PARTS, len(PARTS))) == CALLS


def test_moment_is_called_and_never_calls() -> None:
    parts = [Part("worker", f"r{number}", 100.0 * number + 0.05, 100.0 * number + 0.05) for number in range(20)]
    assert Edge("payments", "worker", 20) in learn_edges([*PARTS, *parts])


def test_clocks_may_differ_a_little() -> None:
    parts = [
        part for n in range(9) for part in (Part("a", f"r{n}", n + 0.003, n + 0.05), Part("b", f"r{n}", n, n + 0.01))
    ]
    assert learn_edges(parts) == [Edge("a", "b", 9)]


def test_few_requests_show_nothing() -> None:
    parts = [part for number in range(MIN_REQUESTS - 1) for part in checkout(number)]
    assert learn_edges(parts) == []


def test_requests_without_an_id_are_left_out() -> None:
    assert learn_edges([part._replace(request="") for part in PARTS]) == []


def test_chance_containment_among_many_requests_is_no_call() -> None:
    alone = [Part("payments", f"p{number}", 0.0, 0.01) for number in range(1000)]
    assert Edge("orders", "payments", 20) in learn_edges([*PARTS, *alone[:100]])
    assert all(edge.target != "payments" for edge in learn_edges([*PARTS, *alone]))


def test_request_with_very_many_parts_is_cut() -> None:
    parts = [Part("batch", "r", 0.0, 1e6), *(Part(f"s{i % 50}", "r", float(i), i + 0.5) for i in range(100_000))]
    assert learn_edges(parts[: 10 * MAX_PARTS]) == []


def test_upstream_is_known_by_its_address() -> None:
    passed = {("nginx", "127.0.0.1:8101"): 9, ("nginx", "10.0.0.9:80"): 9, ("nginx", "127.0.0.1:8102"): 2}
    listens = {"127.0.0.1:8101": "storefront", "127.0.0.1:8102": "orders"}
    assert upstream_edges(passed, listens) == [Edge("nginx", "storefront", 9)]


def middle_waits(parts: list[Part]) -> dict[str, float]:
    """Return the median of the waits in milliseconds by callee."""
    return {series.service_name: math.expm1(median(values)) for series, values in waits(parts).items()}


def slow(parts: list[Part], callee: str, seconds: float) -> list[Part]:
    """Return requests in which calls of a service take long on the way: all that ends after that is later."""
    found = []
    for part in parts:
        start = 100.0 * (part.begin // 100)
        at = {"orders": 0.01, "inventory": 0.02, "payments": 0.04}[callee]
        begin = part.begin + seconds * (part.begin - start >= at - 1e-6)
        end = part.end + seconds * (part.end - start >= at)
        found.append(part._replace(begin=begin, end=end))
    return found


def test_wait_is_the_time_around_a_call_beyond_its_own() -> None:
    found = middle_waits(PARTS)
    assert found == {
        "orders": pytest.approx(20, abs=0.1),  # 10 ms before, 10 ms after
        "inventory": pytest.approx(10, abs=0.1),
        "payments": pytest.approx(20, abs=0.1),  # 10 ms since inventory, 10 ms after
    }


@pytest.mark.parametrize("callee", ["orders", "inventory", "payments"])
def test_slow_way_to_a_service_is_told_of_it_alone(callee: str) -> None:
    found, usual = middle_waits(slow(PARTS, callee, 1.0)), middle_waits(PARTS)
    assert found[callee] == pytest.approx(usual[callee] + 1000, abs=1)
    assert {name: found[name] for name in found if name != callee} == {
        name: pytest.approx(usual[name], abs=1) for name in usual if name != callee
    }


def test_waits_of_few_requests_say_nothing() -> None:
    assert waits([part for number in range(WAIT_REQUESTS - 1) for part in checkout(number)]) == {}
    assert waits([part._replace(request="") for part in PARTS]) == {}


def test_way_that_becomes_slow_is_told_by_the_requests_since() -> None:
    """The first ten requests are as usual, the next ten are not."""
    later = [part for part in PARTS if part.begin >= 100.0 * WAIT_REQUESTS]
    earlier = [part for part in PARTS if part.begin < 100.0 * WAIT_REQUESTS]
    found = waits([*slow(later, "payments", 1.0), *earlier])[wait_series("orders", "payments")]
    assert [round(math.expm1(value), -1) for value in found] == [20, 1020]


def test_wait_names_the_caller() -> None:
    assert wait_series("orders", "payments") in waits(PARTS)
