"""Invented services: as many as asked for, connected as real ones are."""

from __future__ import annotations

from collections import Counter

import pytest

from faultline.catalog.entities import COMPONENT, Entity
from faultline.catalog.synthetic import PLATFORM, synthetic_entities


def components(entities: list[Entity]) -> list[Entity]:
    return [found for found in entities if found.ref.kind == COMPONENT]


@pytest.mark.parametrize("count", [0, 1, len(PLATFORM), 7, 100, 1000])
def test_there_are_as_many_as_asked_for(count: int) -> None:
    entities = synthetic_entities(count, 7)
    assert len(components(entities)) == count
    assert len({found.ref for found in entities}) == len(entities)


def test_references_lead_somewhere() -> None:
    entities = synthetic_entities(300, 7)
    known = {found.ref for found in entities}
    assert all(ref in known for found in entities for ref in found.depends_on)


def test_same_seed_gives_the_same_catalog() -> None:
    assert synthetic_entities(50, 7) == synthetic_entities(50, 7)
    assert synthetic_entities(50, 7) != synthetic_entities(50, 8)


def test_few_services_are_used_by_many() -> None:
    used = Counter(ref.name for found in synthetic_entities(1000, 7) for ref in found.depends_on)
    by_platform = sorted((used[name] for name in PLATFORM), reverse=True)
    assert by_platform[0] > 2 * by_platform[-1] > 0
