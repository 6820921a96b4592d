"""Who depends on whom: edges that the catalog declares, and edges learned from requests, marked as such."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from faultline.catalog.entities import Catalog, own_name

MAX_HOPS: Final = 4  # an error that comes through more services than that is rare, and the walk stays short


@dataclass(frozen=True)
class Edge:
    """`source` depends on `target`; `requests` shows how often that was seen, 0 for a declared edge."""

    source: str
    target: str
    requests: int = 0

    @property
    def learned(self) -> bool:
        """True when no catalog declares it."""
        return self.requests > 0


class DependencyGraph:
    """Edges between names of the logs; cycles are fine."""

    def __init__(self, edges: Iterable[Edge]) -> None:
        """Take the edges; of two for one pair the declared one stays."""
        self.edges: dict[tuple[str, str], Edge] = {}
        self._below: dict[str, list[str]] = defaultdict(list)
        self._above: dict[str, list[str]] = defaultdict(list)
        self._around: dict[str, list[str]] = defaultdict(list)
        for edge in sorted(edges, key=lambda edge: (edge.source, edge.target, edge.learned)):
            if edge.source != edge.target and (edge.source, edge.target) not in self.edges:
                self.edges[edge.source, edge.target] = edge
                self._below[edge.source].append(edge.target)
                self._above[edge.target].append(edge.source)
                self._around[edge.source].append(edge.target)
                self._around[edge.target].append(edge.source)

    @classmethod
    def of(cls, catalog: Catalog, learned: Iterable[Edge] = ()) -> Self:
        """Return the graph of a catalog, by each entity's own name, and of what was learned, by names in the logs."""
        names = catalog.by_log_name()
        own = {ref: entity.name for ref, entity in catalog.entities.items()}
        declared = [Edge(entity.name, own[ref]) for entity in catalog.entities.values() for ref in entity.depends_on]
        seen = [Edge(own_name(names, e.source), own_name(names, e.target), e.requests) for e in learned]
        return cls([*declared, *seen])

    def dependencies(self, name: str) -> dict[str, int]:
        """Return what a service depends on, directly or not, with the number of hops, at most MAX_HOPS."""
        return _walk(name, self._below)

    def dependents(self, name: str) -> dict[str, int]:
        """Return what depends on a service, directly or not, with the number of hops, at most MAX_HOPS."""
        return _walk(name, self._above)

    def called(self, name: str) -> set[str]:
        """Return what a service depends on directly."""
        return set(self._below.get(name, ()))

    def callers(self, name: str) -> set[str]:
        """Return what depends on a service directly."""
        return set(self._above.get(name, ()))

    def is_learned(self, source: str, target: str) -> bool:
        """Return whether an edge was learned; raises KeyError when there is none."""
        return self.edges[source, target].learned

    def knows(self, name: str) -> bool:
        """Return whether a service has any edge."""
        return name in self._below or name in self._above

    def near(self, one: str, other: str, hops: int) -> bool:
        """Return whether at most so many edges lie between two services, in whatever direction."""
        return other in _walk(one, self._around, hops) or one == other


def _walk(start: str, neighbours: Mapping[str, list[str]], hops: int = MAX_HOPS) -> dict[str, int]:
    found, queue = {start: 0}, deque([start])
    while queue:
        name = queue.popleft()
        if found[name] < hops:
            for other in neighbours.get(name, ()):
                if other not in found:
                    found[other] = found[name] + 1
                    queue.append(other)
    del found[start]
    return found
