"""The demo's services as catalog entities, read from the settings they run by."""

from __future__ import annotations

from typing import Any, Final

from faultline.catalog.entities import COMPONENT, DEFAULT_NAMESPACE, RESOURCE, SYSTEM, Entity, EntityRef
from faultline.config import Environ, Paths, Ports
from faultline.shop import CALLS, SERVICES, has_proxy, stores_folder

SHOP: Final = "shop"
OWNER: Final = "team-shop"
HOST: Final = "shop-host"
EDGE: Final = "nginx"


def demo_entities(environ: Environ) -> list[Entity]:
    """Return system, services, proxy, stores and host of the demo; raises ConfigError for a bad setting."""
    ports, paths = Ports.from_env(environ), Paths.from_env(environ)
    stores = [
        _entity(
            _store(service), RESOURCE, "database", f"SQLite file {stores_folder(paths).name}/{service}.db of {service}"
        )
        for service in SERVICES
    ]
    edge = _entity(
        EDGE,
        COMPONENT,
        "website",
        "Web server in front of the shop: takes the customers' requests",
        depends_on=(_ref("storefront", COMPONENT), _ref(HOST, RESOURCE)),
        addresses=(_address(ports.nginx),),
    )
    host = _entity(HOST, RESOURCE, "host", "Machine that the shop runs on: CPU, memory, disk, network")
    system = _entity(SHOP, SYSTEM, SYSTEM, "Web shop of four services that the demo watches")
    return [system, edge, *(_service(name, environ, ports) for name in SERVICES), *stores, host]


def _service(name: str, environ: Environ, ports: Ports) -> Entity:
    callees = [_ref(callee, COMPONENT) for caller, callee in CALLS if caller == name]
    addresses = [_address(getattr(ports, name))]
    if has_proxy(environ):  # a caller's error names the proxy's address, which stands for the service behind it
        addresses += [_address(getattr(ports, f"{caller}_{callee}")) for caller, callee in CALLS if callee == name]
    depends_on = (*callees, _ref(_store(name), RESOURCE), _ref(HOST, RESOURCE))
    return _entity(name, COMPONENT, "service", SERVICES[name], depends_on=depends_on, addresses=tuple(addresses))


def _store(service: str) -> str:
    return f"{service}-db"


def _address(port: int) -> str:
    return f"127.0.0.1:{port}"


def _entity(name: str, kind: str, entity_type: str, description: str, **fields: Any) -> Entity:
    is_system = kind == SYSTEM
    blank = {"title": "", "tags": (), "depends_on": (), "log_names": (name,), "addresses": (), "origin": "demo:1"}
    return Entity(
        ref=_ref(name, kind),
        name=name,
        description=description,
        type=entity_type,
        owner=OWNER,
        lifecycle="" if is_system else "production",
        tier="" if is_system else "1",
        system="" if is_system else SHOP,
        **{**blank, **fields},
    )


def _ref(name: str, kind: str) -> EntityRef:
    return EntityRef(kind, DEFAULT_NAMESPACE, name)
