"""Entities of a catalog, after Backstage's descriptor format (backstage.io/docs/features/software-catalog)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

API_VERSION: Final = "backstage.io/v1alpha1"
COMPONENT, RESOURCE, SYSTEM = "component", "resource", "system"
CANDIDATES: Final = frozenset({COMPONENT, RESOURCE})  # kinds that can break
DEFAULT_NAMESPACE: Final = "default"
TIER_LABEL: Final = "faultline.dev/tier"  # 1 is what the business stands on; Backstage knows no tier of its own
# Names under which an entity writes logs, beside its own; the second is Backstage's own for Kubernetes.
NAME_ANNOTATIONS: Final = ("faultline.dev/service-names", "backstage.io/kubernetes-id")
ADDRESS_ANNOTATION: Final = "faultline.dev/addresses"  # host:port, as error texts and upstreams name it


class EntityRef(NamedTuple):
    """What names an entity; lower case, as Backstage compares them."""

    kind: str
    namespace: str
    name: str

    @classmethod
    def parse(cls, text: str, default_kind: str = COMPONENT, default_namespace: str = DEFAULT_NAMESPACE) -> EntityRef:
        """Read `[kind:][namespace/]name`; raises ValueError when it is something else.

        >>> str(EntityRef.parse("resource:orders-db")), str(EntityRef.parse("shop/orders"))
        ('resource:default/orders-db', 'component:shop/orders')
        """
        kind, colon, rest = text.strip().rpartition(":")
        namespace, slash, name = rest.rpartition("/")
        if not name or (colon and not kind) or (slash and not namespace) or "/" in namespace or " " in text.strip():
            raise ValueError(f"{text!r} is no reference, expected [kind:][namespace/]name")
        return cls((kind or default_kind).lower(), (namespace or default_namespace).lower(), name.lower())

    def __str__(self) -> str:
        return f"{self.kind}:{self.namespace}/{self.name}"


@dataclass(frozen=True)
class Entity:
    """One entity, and where it is written."""

    ref: EntityRef
    name: str  # as written
    title: str
    description: str
    type: str  # service, website, database, ...
    owner: str
    lifecycle: str
    tier: str
    system: str
    tags: tuple[str, ...]
    depends_on: tuple[EntityRef, ...]
    log_names: tuple[str, ...]  # under which it writes logs, its own name first
    addresses: tuple[str, ...]  # host:port
    origin: str  # file:line

    @property
    def text(self) -> str:
        """What the catalog says of it, as one sentence or two; what texts of errors are compared with."""
        title = self.title if self.title and self.title.lower() != self.name.lower() else ""
        parts = [" ".join(filter(None, (self.name, title, self.type))), self.description, " ".join(self.tags)]
        return ". ".join(part.strip().rstrip(".") for part in parts if part.strip())


def own_name(catalog: Mapping[str, Entity], name: str) -> str:
    """Return the catalog's own name of what logs call `name`; `catalog` by name in the logs, unknown names stay."""
    return catalog[name].name if name in catalog else name


@dataclass(frozen=True)
class Problem:
    """Something in a catalog that was left out, where, and what to do."""

    origin: str  # file:line
    text: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.text}"


@dataclass(frozen=True)
class Catalog:
    """All entities by reference; what could not be used is listed, the rest stands."""

    entities: Mapping[EntityRef, Entity]
    problems: tuple[Problem, ...] = ()

    def candidates(self) -> list[Entity]:
        """Return the entities that can break, by reference."""
        return [entity for ref, entity in sorted(self.entities.items()) if ref.kind in CANDIDATES]

    def by_log_name(self) -> dict[str, Entity]:
        """Return the entity of each name in the logs; the first by reference where several claim one."""
        named: dict[str, Entity] = {}
        for entity in self.candidates():
            for name in entity.log_names:
                named.setdefault(name, entity)
        return named
