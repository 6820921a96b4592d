"""Calls learned from the times of requests."""

from __future__ import annotations

import random

from faultline.catalog.graph import Edge
from spark.models.root_cause.calls import MAX_PARTS, MIN_REQUESTS, Part, learn_edges, upstream_edges


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
    lines = [("nginx", "127.0.0.1:8101")] * 9 + [("nginx", "10.0.0.9:80")] * 9 + [("nginx", "127.0.0.1:8102")] * 2
    addresses = {"127.0.0.1:8101": "storefront", "127.0.0.1:8102": "orders"}
    assert upstream_edges(lines, addresses) == [Edge("nginx", "storefront", 9)]
