"""Read catalogs: files of YAML documents as Backstage takes them. What is wrong is listed with file and line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import yaml

from faultline.catalog.entities import (
    ADDRESS_ANNOTATION,
    API_VERSION,
    CANDIDATES,
    DEFAULT_NAMESPACE,
    NAME_ANNOTATIONS,
    TIER_LABEL,
    Catalog,
    Entity,
    EntityRef,
    Problem,
)
from faultline.errors import ConfigError

PATTERNS: Final = ("catalog-info.yaml", "catalog-info.yml")
MAX_TEXT_CHARS: Final = 2000  # of a description; more is cut, a page of prose says no more about an error
_KNOWN_KINDS: Final = CANDIDATES | {"system", "api", "domain", "group", "user", "location", "template"}

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class _Metadata(msgspec.Struct):
    name: Name
    namespace: str | None = None
    title: str | None = None
    description: str | None = None
    tags: list[str] | None = None
    labels: dict[str, str | int] | None = None
    annotations: dict[str, str] | None = None


class _Spec(msgspec.Struct, rename="camel"):
    type: str | None = None
    owner: str | None = None
    lifecycle: str | None = None
    system: str | None = None
    subcomponent_of: str | None = None
    depends_on: list[str] | None = None
    dependency_of: list[str] | None = None
    provides_apis: list[str] | None = None
    consumes_apis: list[str] | None = None


class _Document(msgspec.Struct, rename="camel"):
    kind: Name
    metadata: _Metadata
    spec: _Spec = msgspec.field(default_factory=_Spec)
    api_version: str = API_VERSION


class _Found(msgspec.Struct):
    """An entity, and what it says of others: resolved when all are known."""

    entity: Entity
    dependencies: list[str]
    dependents: list[str]
    provides: list[str]
    consumes: list[str]


def read_catalog(paths: Sequence[Path]) -> Catalog:
    """Read files, or folders with `catalog-info.yaml` files anywhere in them.

    Documents that cannot be used, second entities of a name and references to nothing are left out and listed in
    `problems`; cycles are allowed. Raises ConfigError when a path does not exist or holds no catalog at all.
    """
    found: dict[EntityRef, _Found] = {}
    problems: list[Problem] = []
    for path in _files(paths):
        for item in _read_file(path):
            if isinstance(item, Problem):
                problems.append(item)
            elif item.entity.ref in found:
                first = found[item.entity.ref].entity.origin
                text = (
                    f"{item.entity.ref} is there already ({first}); this one is left out, give one of them another name"
                )
                problems.append(Problem(item.entity.origin, text))
            else:
                found[item.entity.ref] = item
    entities = _connect(found, problems)
    return Catalog(entities, tuple(problems))


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        files = sorted({file for pattern in PATTERNS for file in path.rglob(pattern)}) if path.is_dir() else [path]
        if not files or not path.exists():
            raise ConfigError("catalog", str(path), "a file, or a folder with a catalog-info.yaml in it")
        yield from files


def _read_file(path: Path) -> Iterator[_Found | Problem]:
    """Yield the entities of a file; a broken document ends it: where the next one begins cannot be told."""
    try:
        loader = yaml.CSafeLoader(path.read_bytes())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError("catalog", str(path), f"a readable file: {error}") from error
    try:
        while loader.check_node():
            node = loader.get_node()
            line = node.start_mark.line + 1 if node is not None else 1
            yield _entity(loader.construct_document(node), f"{path}:{line}")
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        yield Problem(f"{path}:{line}", f"no YAML from here on, the rest of the file is left out: {_one_line(error)}")
    finally:
        loader.dispose()


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


def _entity(content: Any, origin: str) -> _Found | Problem:
    if content is None:
        return Problem(origin, "an empty document, expected apiVersion, kind, metadata and spec")
    try:
        document = msgspec.convert(content, _Document)
    except msgspec.ValidationError as error:
        return Problem(origin, f"left out: {error}, expected an entity as Backstage describes it")
    kind = document.kind.lower()
    if kind not in _KNOWN_KINDS:
        return Problem(
            origin, f"left out: kind is {document.kind!r}, expected one of {', '.join(sorted(_KNOWN_KINDS))}"
        )
    metadata, spec = document.metadata, document.spec
    namespace = (metadata.namespace or DEFAULT_NAMESPACE).lower()
    annotations, labels = metadata.annotations or {}, metadata.labels or {}
    names = [metadata.name, *(name for key in NAME_ANNOTATIONS for name in _listed(annotations.get(key, "")))]
    entity = Entity(
        ref=EntityRef(kind, namespace, metadata.name.lower()),
        name=metadata.name,
        title=metadata.title or "",
        description=(metadata.description or "")[:MAX_TEXT_CHARS],
        type=spec.type or kind,
        owner=spec.owner or "",
        lifecycle=spec.lifecycle or "",
        tier=str(labels.get(TIER_LABEL, "")),
        system=spec.system or "",
        tags=tuple(metadata.tags or ()),
        depends_on=(),
        log_names=tuple(dict.fromkeys(names)),
        addresses=tuple(_listed(annotations.get(ADDRESS_ANNOTATION, ""))),
        origin=origin,
    )
    above = [spec.subcomponent_of] if spec.subcomponent_of else []
    return _Found(
        entity,
        spec.depends_on or [],
        (spec.dependency_of or []) + above,
        spec.provides_apis or [],
        spec.consumes_apis or [],
    )


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _connect(found: dict[EntityRef, _Found], problems: list[Problem]) -> dict[EntityRef, Entity]:
    """Resolve what entities say of each other, in both directions and by APIs, to `depends_on`."""
    edges: dict[EntityRef, dict[EntityRef, None]] = {ref: {} for ref in found}
    providers: dict[EntityRef, list[EntityRef]] = {}
    for ref, item in found.items():
        for api in _resolve(item.provides, item.entity, "api", None, problems):
            providers.setdefault(api, []).append(ref)
    for ref, item in found.items():
        for target in _resolve(item.dependencies, item.entity, "component", found, problems):
            edges[ref][target] = None
        for source in _resolve(item.dependents, item.entity, "component", found, problems):
            edges[source][ref] = None
        for api in _resolve(item.consumes, item.entity, "api", None, problems):
            edges[ref].update(dict.fromkeys(providers.get(api, ())))
            if api not in providers:
                problems.append(Problem(item.entity.origin, f"{ref} consumes {api}, which no entity provides"))
    return {
        ref: replace(item.entity, depends_on=tuple(target for target in edges[ref] if target != ref))
        for ref, item in found.items()
    }


def _resolve(
    texts: Iterable[str],
    entity: Entity,
    default_kind: str,
    known: dict[EntityRef, _Found] | None,
    problems: list[Problem],
) -> list[EntityRef]:
    refs = []
    for text in texts:
        try:
            ref = EntityRef.parse(text, default_kind, entity.ref.namespace)
        except ValueError as error:
            problems.append(Problem(entity.origin, f"{entity.ref}: {error}; the reference is left out"))
            continue
        if known is not None and ref not in known:
            problems.append(Problem(entity.origin, f"{entity.ref} refers to {ref}, which is not in the catalog"))
            continue
        refs.append(ref)
    return refs
