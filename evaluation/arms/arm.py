"""What an arm is: one way to score units, with the same chances as every other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from evaluation.corpus import Units
from evaluation.datasets.labelled import UnitKind
from spark.models.base import Vector

ALL: frozenset[UnitKind] = frozenset(UnitKind)
GROUPED: frozenset[UnitKind] = frozenset({UnitKind.SESSION, UnitKind.WINDOW})


class Family(StrEnum):
    """Groups of the table."""

    SEMANTIC = "semantic"
    STRUCTURED = "structured"
    COMBINED = "combined"
    BASELINE = "baseline"
    BOUND = "supervised bound"


class Scorer(Protocol):
    """Learns from normal units, scores any."""

    def fit(self, normal: Units) -> Self:
        """Learn; no label is given."""
        ...

    def score(self, units: Units) -> Vector:
        """Return float32 [n], higher = more abnormal."""
        ...


class SupervisedScorer(Protocol):
    """Learns from labels: an upper bound, not a competitor."""

    def fit(self, units: Units, labels: npt.NDArray[np.int64]) -> Self:
        """Learn from labelled units."""
        ...

    def score(self, units: Units) -> Vector:
        """Return float32 [n], higher = more abnormal."""
        ...


@dataclass(frozen=True)
class Arm:
    """A row of the table. `own_decision`: the arm decides by a rule of its own instead of the budget's threshold.

    A rule is a function of held-out normal scores and the scores to decide on.
    """

    name: str
    family: Family
    about: str
    make: Callable[[], Scorer]
    kinds: frozenset[UnitKind] = ALL
    own_decision: Callable[[Vector, Vector], npt.NDArray[np.bool_]] | None = None
    quick: bool = True  # False: left out by --quick
    streams: bool = False  # True: what a running stream scores with


@dataclass(frozen=True)
class Bound:
    """A supervised row of the table."""

    name: str
    about: str
    make: Callable[[], SupervisedScorer]
    kinds: frozenset[UnitKind] = ALL
