"""What abnormal lines are about, compared with what the catalog says of each candidate, by sentence embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from cachetools import LRUCache

from faultline.catalog.entities import Entity
from faultline.catalog.graph import DependencyGraph
from spark.models.root_cause.symptoms import Symptom

MAX_TEXTS: Final = 8  # distinct lines of an incident that are embedded, the most abnormal ones: some 10 ms each
MAX_CANDIDATES: Final = 200  # whose catalog text is embedded for one incident, once each as long as they are cached
CACHED_TEXTS: Final = 20_000  # vectors of 1.5 kB
TEXT_CHARS: Final = 400

Vectors = np.ndarray[Any, np.dtype[np.float32]]
Embed = Callable[[Sequence[str]], Vectors]  # texts [n] to unit vectors [n, d]


class CatalogMeaning:
    """Similarity of lines to catalog texts; vectors are kept by text, so that a catalog is embedded bit by bit."""

    def __init__(self, embed: Embed, catalog: Mapping[str, Entity]) -> None:
        self._embed, self._catalog = embed, catalog
        self._vectors: LRUCache[str, Vectors] = LRUCache(CACHED_TEXTS)

    def similarity(self, lines: Sequence[str], names: Iterable[str]) -> dict[str, float]:
        """Return how near the nearest line is to what the catalog says of each named service: 0 to 1, a cosine.

        `lines`: the most abnormal first. Services that the catalog does not know are left out.
        """
        texts = list(dict.fromkeys(line[:TEXT_CHARS] for line in lines if line.strip()))[:MAX_TEXTS]
        known = {name: self._catalog[name].text[:TEXT_CHARS] for name in names if name in self._catalog}
        chosen = dict(sorted(known.items())[:MAX_CANDIDATES])
        if not texts or not chosen:
            return {}
        said, told = self._look_up(texts), self._look_up(list(chosen.values()))
        nearest = np.clip((told @ said.T).max(axis=1), 0.0, 1.0)
        return dict(zip(chosen, np.round(nearest.astype(float), 4).tolist(), strict=True))

    def _look_up(self, texts: Sequence[str]) -> Vectors:
        missing = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if missing:
            self._vectors.update(zip(missing, self._embed(missing), strict=True))
        return np.stack([self._vectors[text] for text in texts])


def said_first(symptoms: Sequence[Symptom]) -> list[str]:
    """Return the texts of abnormal lines, the most abnormal first."""
    lines = sorted((symptom for symptom in symptoms if symptom.line is not None), key=lambda symptom: -symptom.surprise)
    return [symptom.text for symptom in lines]


def who_may(symptoms: Sequence[Symptom], graph: DependencyGraph) -> list[str]:
    """Return who is abnormal, and what that depends on, by name."""
    abnormal = {symptom.service_name for symptom in symptoms}
    return sorted(abnormal | {other for name in abnormal for other in graph.dependencies(name)})
