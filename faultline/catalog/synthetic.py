"""Services that do not exist, with a dependency graph like that of real estates: what the cause hides among.

Systems of a gateway, some services and their stores; most calls stay within a system, the rest goes to a few
platform services that everybody uses, the more the more already do (preferential attachment, Barabasi and Albert 1999).
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

from faultline.catalog.entities import COMPONENT, DEFAULT_NAMESPACE, RESOURCE, SYSTEM, Entity, EntityRef

DOMAINS: Final = {
    "billing": "invoices and account statements",
    "shipping": "parcels, labels and carriers",
    "search": "product search and suggestions",
    "recommendations": "what customers may like next",
    "loyalty": "points, vouchers and campaigns",
    "returns": "goods that come back and refunds",
    "pricing": "price lists, taxes and discounts",
    "reviews": "ratings and reviews of products",
    "identity": "accounts, sessions and consent",
    "analytics": "events, funnels and reports",
    "procurement": "suppliers and purchase orders",
    "warehouse": "picking, packing and bins",
    "support": "tickets and chat with customers",
    "media": "images, video and thumbnails",
    "marketplace": "offers of other merchants",
    "fraud": "risk scores and blocked cards",
}
ROLES: Final = {
    "api": "HTTP interface of",
    "worker": "background jobs of",
    "scheduler": "timed jobs of",
    "importer": "takes in files about",
    "exporter": "writes files about",
    "notifier": "sends mail and messages about",
    "cache": "fast copies of",
    "rules": "decisions on",
    "sync": "keeps other systems up to date on",
    "audit": "keeps a record of",
}
STORES: Final = ("postgres", "redis", "mongodb", "s3-bucket")
PLATFORM: Final = ("auth", "feature-flags", "message-bus", "secrets", "geo", "mailer")
LIFECYCLES: Final = ("production", "production", "production", "experimental", "deprecated")
PER_SYSTEM: Final = 9  # services of a system, its gateway among them
OUTWARD: Final = 0.3  # of the services call a platform service beside their own


def synthetic_entities(count: int, seed: int) -> list[Entity]:
    """Return at least `count` components with their systems and stores, the same for the same seed."""
    rng = random.Random(f"catalog:{seed}")  # noqa: S311 - nothing secret hangs on it
    entities = [
        _component(name, "platform", f"shared {name} of all systems", rng) for name in PLATFORM[: max(count, 0)]
    ]
    popularity = {entity.ref: 1 for entity in entities}
    components = len(entities)
    number = 0
    while components < count:
        size = min(PER_SYSTEM, count - components)
        found = _system(number, size, popularity, rng)
        entities += found
        components += size
        number += 1
    return entities


def _system(number: int, size: int, popularity: dict[EntityRef, int], rng: random.Random) -> list[Entity]:
    domains, roles = list(DOMAINS), list(ROLES)
    domain, generation = domains[number % len(domains)], number // len(domains)
    system = f"{domain}-{generation}" if generation else domain
    about = DOMAINS[domain]
    names = [f"{system}-gateway", *(f"{system}-{role}" for role in roles)][:size]
    store = _entity(RESOURCE, f"{system}-{rng.choice(STORES)}", "database", f"data of {system}: {about}", system, rng)
    services = [_component(name, system, _describe(name, system, about), rng) for name in names]
    wired = []
    for place, service in enumerate(services):
        below = services[place + 1 :]
        calls = [
            other.ref for other in (below if place == 0 else rng.sample(below, min(len(below), rng.randint(0, 2))))
        ]
        targets = [*calls, *([store.ref] if place else []), *_outward(popularity, rng)]
        wired.append(replace(service, depends_on=tuple(dict.fromkeys(targets))))
    return [_entity(SYSTEM, system, SYSTEM, about, "", rng), *wired, store]


def _outward(popularity: dict[EntityRef, int], rng: random.Random) -> list[EntityRef]:
    if not popularity or rng.random() > OUTWARD:
        return []
    chosen = rng.choices(list(popularity), weights=list(popularity.values()))[0]
    popularity[chosen] += 1
    return [chosen]


def _describe(name: str, system: str, about: str) -> str:
    role = name.removeprefix(f"{system}-")
    return f"{ROLES[role]} {about}" if role in ROLES else f"entry to {about}"


def _component(name: str, system: str, description: str, rng: random.Random) -> Entity:
    return _entity(COMPONENT, name, "service", description, system, rng)


def _entity(kind: str, name: str, entity_type: str, description: str, system: str, rng: random.Random) -> Entity:  # noqa: PLR0913, PLR0917
    is_system = kind == SYSTEM
    return Entity(
        ref=EntityRef(kind, DEFAULT_NAMESPACE, name),
        name=name,
        title="",
        description=description,
        type=entity_type,
        owner=f"team-{(system or name).split('-')[0]}",
        lifecycle="" if is_system else rng.choice(LIFECYCLES),
        tier="" if is_system else str(rng.choices((1, 2, 3), weights=(1, 3, 4))[0]),
        system=system,
        tags=(),
        depends_on=(),
        log_names=(name,),
        addresses=(),
        origin="synthetic:1",
    )
