"""Write a catalog as Backstage reads it: one YAML document an entity."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from faultline.catalog.entities import (
    ADDRESS_ANNOTATION,
    API_VERSION,
    DEFAULT_NAMESPACE,
    NAME_ANNOTATIONS,
    TIER_LABEL,
    Entity,
)


def write_catalog(entities: Iterable[Entity], path: Path) -> None:
    """Write the entities, whole or not at all; what `read_catalog` reads from it is the same but for the origin."""
    aside = path.with_suffix(".new")
    with aside.open("w", encoding="utf-8") as file:
        yaml.dump_all(map(_document, entities), file, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)
    aside.replace(path)


def _document(entity: Entity) -> dict[str, Any]:
    others = [name for name in entity.log_names if name != entity.name]
    annotations = {NAME_ANNOTATIONS[0]: ", ".join(others), ADDRESS_ANNOTATION: ", ".join(entity.addresses)}
    metadata = {
        "name": entity.name,
        "namespace": "" if entity.ref.namespace == DEFAULT_NAMESPACE else entity.ref.namespace,
        "title": entity.title,
        "description": entity.description,
        "labels": {TIER_LABEL: entity.tier} if entity.tier else {},
        "annotations": _filled(annotations),
        "tags": list(entity.tags),
    }
    spec = {
        "type": "" if entity.type == entity.ref.kind else entity.type,
        "lifecycle": entity.lifecycle,
        "owner": entity.owner,
        "system": entity.system,
        "dependsOn": [str(ref) for ref in entity.depends_on],
    }
    kind = entity.ref.kind.capitalize()
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": _filled(metadata), "spec": _filled(spec)}


def _filled(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value}
