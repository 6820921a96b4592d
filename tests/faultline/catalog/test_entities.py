"""References and the sentence that an entity amounts to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.catalog.entities import Catalog, Entity, EntityRef

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,20}[a-z0-9])?", fullmatch=True)


def entity(name: str, kind: str = "component", **fields: object) -> Entity:
    given: dict[str, object] = {
        "ref": EntityRef(kind, "default", name.lower()),
        "name": name,
        **dict.fromkeys(("title", "description", "owner", "lifecycle", "tier", "system"), ""),
        **{
            "type": "service",
            "tags": (),
            "depends_on": (),
            "log_names": (name,),
            "addresses": (),
            "origin": "a.yaml:1",
        },
    }
    return Entity(**{**given, **fields})  # type: ignore[arg-type]


@given(NAMES, NAMES, NAMES)
def test_reference_survives_being_written(kind: str, namespace: str, name: str) -> None:
    ref = EntityRef(kind, namespace, name)
    assert EntityRef.parse(str(ref)) == ref


@pytest.mark.parametrize("text", ["", "component:", ":orders", "/orders", "component:/orders", "a/b/c", "two words"])
def test_text_that_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected \[kind:\]\[namespace/\]name"):
        EntityRef.parse(text)


def test_references_are_compared_in_lower_case() -> None:
    assert EntityRef.parse("Component:Default/Orders") == EntityRef.parse("orders")


def test_text_says_what_it_is_once() -> None:
    told = entity("orders", title="Orders", description="Takes orders.", tags=("python", "sqlite"))
    assert told.text == "orders service. Takes orders. python sqlite"
    assert entity("db", type="database", title="Order store").text == "db Order store database"


def test_first_entity_gets_a_name_that_several_claim() -> None:
    a, b = entity("a", log_names=("a", "shared")), entity("b", log_names=("b", "shared"))
    assert Catalog({b.ref: b, a.ref: a}).by_log_name() == {"a": a, "shared": a, "b": b}


def test_only_components_and_resources_are_candidates() -> None:
    found = [entity("shop", "system"), entity("db", "resource"), entity("orders")]
    assert [item.name for item in Catalog({item.ref: item for item in found}).candidates()] == ["orders", "db"]
