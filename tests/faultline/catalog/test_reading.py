"""Catalogs as users have them, and as they should not be."""

from __future__ import annotations

from pathlib import Path

import pytest

from faultline.catalog.entities import Catalog, EntityRef
from faultline.catalog.reading import read_catalog
from faultline.errors import ConfigError

ORDERS = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: Orders
  title: Orders
  description: Takes orders
  tags: [python]
  labels: { faultline.dev/tier: 1 }
  annotations:
    backstage.io/kubernetes-id: shop-orders
    faultline.dev/service-names: orders-v2, orders-v3
    faultline.dev/addresses: 127.0.0.1:8102
spec:
  type: service
  owner: team-shop
  lifecycle: production
  system: shop
  dependsOn: [component:payments, "resource:default/orders-db"]
  providesApis: [orders-api]
"""
PAYMENTS = "kind: Component\nmetadata: {name: payments}\nspec: {type: service}\n"
DATABASE = "kind: Resource\nmetadata: {name: orders-db}\nspec: {type: database, dependencyOf: [component:payments]}\n"
SHOP = "kind: System\nmetadata: {name: shop}\nspec: {owner: team-shop}\n"


def read(folder: Path, *documents: str) -> Catalog:
    path = folder / "catalog-info.yaml"
    path.write_text("---\n".join(documents))
    return read_catalog([path])


def targets(catalog: Catalog, name: str) -> list[str]:
    return [str(ref) for ref in catalog.entities[EntityRef.parse(name)].depends_on]


def test_entity_has_all_that_its_document_says(tmp_path: Path) -> None:
    catalog = read(tmp_path, ORDERS, PAYMENTS, DATABASE, SHOP)
    assert catalog.problems == ()
    orders = catalog.entities[EntityRef.parse("orders")]
    assert (orders.name, orders.owner, orders.lifecycle, orders.tier) == ("Orders", "team-shop", "production", "1")
    assert (orders.system, orders.type, orders.tags) == ("shop", "service", ("python",))
    assert orders.log_names == ("Orders", "orders-v2", "orders-v3", "shop-orders")
    assert orders.addresses == ("127.0.0.1:8102",)
    assert orders.origin.endswith("catalog-info.yaml:2")
    assert targets(catalog, "orders") == ["component:default/payments", "resource:default/orders-db"]
    assert targets(catalog, "payments") == ["resource:default/orders-db"]


def test_consumer_of_an_api_depends_on_its_provider(tmp_path: Path) -> None:
    consumer = "kind: Component\nmetadata: {name: web}\nspec: {consumesApis: [orders-api, lost-api]}\n"
    catalog = read(tmp_path, ORDERS, PAYMENTS, DATABASE, consumer)
    assert targets(catalog, "web") == ["component:default/orders"]
    assert [problem.text for problem in catalog.problems] == [
        "component:default/web consumes api:default/lost-api, which no entity provides"
    ]


def test_part_is_depended_on_by_its_whole(tmp_path: Path) -> None:
    part = "kind: Component\nmetadata: {name: cart}\nspec: {subcomponentOf: payments}\n"
    assert targets(read(tmp_path, PAYMENTS, part), "payments") == ["component:default/cart"]


def test_folder_is_searched(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "catalog-info.yaml").write_text(PAYMENTS)
    (tmp_path / "a" / "catalog-info.yml").write_text(SHOP)
    (tmp_path / "a" / "other.yaml").write_text("never: read")
    assert len(read_catalog([tmp_path]).entities) == 2


def test_cycle_is_allowed(tmp_path: Path) -> None:
    one = "kind: Component\nmetadata: {name: a}\nspec: {dependsOn: [b, a]}\n"
    other = "kind: Component\nmetadata: {name: b}\nspec: {dependsOn: [a]}\n"
    catalog = read(tmp_path, one, other)
    assert targets(catalog, "a") == ["component:default/b"]
    assert targets(catalog, "b") == ["component:default/a"]
    assert catalog.problems == ()


def test_reference_to_nothing_is_listed_and_the_entity_stays(tmp_path: Path) -> None:
    catalog = read(
        tmp_path, PAYMENTS, "kind: Component\nmetadata: {name: a}\nspec: {dependsOn: [gone, 'x y', payments]}\n"
    )
    assert targets(catalog, "a") == ["component:default/payments"]
    assert [str(problem) for problem in catalog.problems] == [
        f"{tmp_path}/catalog-info.yaml:5: component:default/a refers to component:default/gone,"
        " which is not in the catalog",
        f"{tmp_path}/catalog-info.yaml:5: component:default/a: 'x y' is no reference, expected [kind:][namespace/]name;"
        " the reference is left out",
    ]


def test_second_entity_of_a_name_is_left_out_and_says_where_the_first_is(tmp_path: Path) -> None:
    catalog = read(tmp_path, PAYMENTS, PAYMENTS.replace("payments", "PAYMENTS"))
    assert [entity.name for entity in catalog.entities.values()] == ["payments"]
    assert [str(problem) for problem in catalog.problems] == [
        f"{tmp_path}/catalog-info.yaml:5: component:default/payments is there already"
        f" ({tmp_path}/catalog-info.yaml:1); this one is left out, give one of them another name"
    ]


def test_same_name_in_another_namespace_or_of_another_kind_is_another_entity(tmp_path: Path) -> None:
    other = "kind: Component\nmetadata: {name: payments, namespace: eu}\n"
    assert len(read(tmp_path, PAYMENTS, other, "kind: Resource\nmetadata: {name: payments}\n").entities) == 3


NAMELESS, NUMBER, UNKNOWN_KIND, LIST, EMPTY = (
    "kind: Component\nmetadata: {}\n",
    "kind: Component\nmetadata: {name: 3}\n",
    "kind: Pod\nmetadata: {name: a}\n",
    "- a\n",
    "\n",
)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (NAMELESS, "Object missing required field `name` - at `$.metadata`"),
        (NUMBER, "Expected `str`, got `int` - at `$.metadata.name`"),
        (UNKNOWN_KIND, "kind is 'Pod', expected one of api, component, "),
        (LIST, "Expected `object`, got `array`"),
        (EMPTY, "an empty document"),
    ],
)
def test_document_that_is_no_entity_is_listed_and_the_rest_stays(tmp_path: Path, document: str, text: str) -> None:
    catalog = read(tmp_path, PAYMENTS, document, SHOP)
    assert len(catalog.entities) == 2
    assert len(catalog.problems) == 1
    assert text in catalog.problems[0].text


def test_broken_yaml_says_where_and_keeps_what_came_before(tmp_path: Path) -> None:
    catalog = read(tmp_path, PAYMENTS, "kind: [\n", SHOP)
    assert [entity.name for entity in catalog.entities.values()] == ["payments"]
    assert catalog.problems[0].origin == f"{tmp_path}/catalog-info.yaml:6"
    assert "the rest of the file is left out" in catalog.problems[0].text


def test_yaml_that_would_run_code_is_only_a_problem(tmp_path: Path) -> None:
    catalog = read(tmp_path, "kind: !!python/object/apply:os.getcwd []\n")
    assert catalog.entities == {}
    assert "could not determine a constructor" in catalog.problems[0].text


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_path_without_a_catalog_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"expected a file, or a folder with a catalog-info\.yaml in it"):
        read_catalog([tmp_path / name])
