"""Plain counts for library models: words of a line, templates of a session or window."""

from __future__ import annotations

from collections import Counter
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from evaluation.corpus import Units
from evaluation.datasets.labelled import UnitKind

MAX_COLUMNS: Final = 512  # most frequent terms of normal time; the last column counts what it never had


class CountFeatures:
    """float32 [n, d]: how often each term of normal time comes in a unit, and how many terms are new."""

    def __init__(self) -> None:
        self._columns: dict[str, int] = {}

    def fit(self, normal: Units) -> Self:
        """Choose the terms."""
        counts: Counter[str] = Counter()
        for terms in _terms(normal):
            counts.update(terms)
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_COLUMNS]
        self._columns = {term: column for column, (term, _) in enumerate(ranked)}
        return self

    def matrix(self, units: Units) -> npt.NDArray[np.float32]:
        """Return the counts of each unit."""
        x = np.zeros((len(units), len(self._columns) + 1), np.float32)
        for row, terms in zip(x, _terms(units), strict=True):
            for term, count in Counter(terms).items():
                row[self._columns.get(term, -1)] += count
        return x


def _terms(units: Units) -> list[list[str]]:
    if units.corpus.labelled.kind is UnitKind.LINE:
        return [units.corpus.texts[code].split(" ") for code in units.corpus.masked[units.lines].tolist()]
    sequences = units.sequences()
    prefixes = [f"{group} " if group else "" for group in units.groups]
    return [[prefix + term for term in terms] for prefix, terms in zip(prefixes, sequences, strict=True)]
