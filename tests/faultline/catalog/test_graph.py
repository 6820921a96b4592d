"""Walks over dependencies, with cycles and with edges of two origins."""

from __future__ import annotations

from faultline.catalog.entities import Catalog, EntityRef
from faultline.catalog.graph import MAX_HOPS, DependencyGraph, Edge
from tests.faultline.catalog.test_entities import entity

CHAIN = DependencyGraph([Edge("storefront", "orders"), Edge("orders", "payments"), Edge("orders", "inventory")])


def test_hops_are_counted_in_both_directions() -> None:
    assert CHAIN.dependencies("storefront") == {"orders": 1, "payments": 2, "inventory": 2}
    assert CHAIN.dependents("payments") == {"orders": 1, "storefront": 2}
    assert CHAIN.dependencies("never seen") == {}


def test_cycle_ends() -> None:
    graph = DependencyGraph([Edge("a", "b"), Edge("b", "c"), Edge("c", "a"), Edge("a", "a")])
    assert graph.dependencies("a") == {"b": 1, "c": 2}
    assert graph.dependents("a") == {"c": 1, "b": 2}


def test_walk_is_bounded() -> None:
    line = DependencyGraph([Edge(str(i), str(i + 1)) for i in range(MAX_HOPS + 3)])
    assert max(line.dependencies("0").values()) == MAX_HOPS


def test_declared_edge_is_not_marked_as_learned_when_it_is_seen_too() -> None:
    graph = DependencyGraph([Edge("a", "b", requests=9), Edge("a", "b"), Edge("b", "c", requests=3)])
    assert not graph.is_learned("a", "b")
    assert graph.is_learned("b", "c")


def test_catalog_and_learned_edges_are_one_graph() -> None:
    b = entity("B")
    a = entity("A", depends_on=(EntityRef.parse("b"),))
    graph = DependencyGraph.of(Catalog({a.ref: a, b.ref: b}), [Edge("nginx", "A", requests=5)])
    assert graph.dependencies("nginx") == {"A": 1, "B": 2}


def test_near_counts_edges_in_either_direction() -> None:
    assert CHAIN.near("storefront", "payments", 2)
    assert CHAIN.near("payments", "inventory", 2)
    assert not CHAIN.near("payments", "storefront", 1)
    assert CHAIN.near("never seen", "never seen", 0)
    assert not CHAIN.near("never seen", "orders", 4)


def test_graph_knows_who_has_an_edge() -> None:
    assert CHAIN.knows("storefront")
    assert CHAIN.knows("inventory")
    assert not CHAIN.knows("never seen")


def test_learned_edges_go_by_the_catalogs_names() -> None:
    a = entity("A", log_names=("A", "a-v2"))
    graph = DependencyGraph.of(Catalog({a.ref: a}), [Edge("nginx", "a-v2", 5), Edge("a-v2", "unknown", 5)])
    assert set(graph.edges) == {("nginx", "A"), ("A", "unknown")}
