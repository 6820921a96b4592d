"""The demo's catalog follows its settings."""

from __future__ import annotations

from faultline.catalog.demo import demo_entities
from faultline.catalog.entities import Catalog
from faultline.catalog.graph import DependencyGraph


def catalog(environ: dict[str, str]) -> Catalog:
    return Catalog({found.ref: found for found in demo_entities(environ)})


def test_services_depend_on_whom_they_call_their_store_and_the_host() -> None:
    graph = DependencyGraph.of(catalog({}))
    assert set(graph.dependencies("orders")) == {
        *("payments", "inventory", "orders-db", "payments-db", "inventory-db", "shop-host")
    }
    assert graph.dependents("payments") == {"orders": 1, "storefront": 2, "nginx": 3}


def test_addresses_are_those_of_the_settings() -> None:
    named = catalog({"FAULTLINE_PORT_ORDERS": "9999"}).by_log_name()
    assert named["orders"].addresses == ("127.0.0.1:9999",)
    proxied = catalog({"FAULTLINE_SHOP_PROXY": "1"}).by_log_name()
    assert proxied["orders"].addresses == ("127.0.0.1:8102", "127.0.0.1:8112")
    assert proxied["storefront"].addresses == ("127.0.0.1:8101",)


def test_every_entity_says_what_it_is() -> None:
    assert all(found.description and found.owner == "team-shop" for found in demo_entities({}))
