"""Join what the semantic and the structured detector say about a unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from evaluation.datasets.labelled import UnitKind
from evaluation.thresholds import fit_threshold
from spark.models.adaptive import AdaptiveThreshold
from spark.models.base import Vector

if TYPE_CHECKING:
    from evaluation.comparison import ArmResult

SEMANTIC: Final = "tone_minilm"
LEXICAL: Final = "severity_lexical"  # the further row: what the stream scores with when that encoder is chosen
STRUCTURED: Final[Mapping[UnitKind, str]] = {
    UnitKind.SESSION: "session_counts",
    UnitKind.WINDOW: "structured",
}
CAPACITY: Final = 1000  # units an adaptive threshold remembers at least
RECOVERY_UNITS: Final = 100  # abnormal ones without a calm between them become the new normal


@dataclass(frozen=True)
class Combined:
    """A score made of the scores of two arms, and the decision taken on it."""

    name: str
    about: str
    held_out: Vector
    scores: Vector
    flags: npt.NDArray[np.bool_]


def parts_of(kind: UnitKind, semantic: str = SEMANTIC) -> tuple[str, ...]:
    """Return the arms that are combined for such units; a line has no counts of its own."""
    return (semantic, *((STRUCTURED[kind],) if kind in STRUCTURED else ()))


def combine(parts: Sequence[ArmResult], budget: float) -> list[Combined]:
    """Return the combinations of some arms, each decided by a threshold of its own on the same held-out units.

    Surprise, -log10 p, makes arms comparable whatever their scores are (Fisher 1932 sums it over independent tests;
    ours are not independent, hence the threshold on top).
    """
    first = greatest(parts, budget, "max")
    total = _joined(parts, budget, np.sum)
    followed = AdaptiveThreshold(
        fit_threshold(first.held_out, budget),
        capacity=max(CAPACITY, len(first.held_out)),
        recovery_units=RECOVERY_UNITS,
    )
    return [
        first,
        _decided("combined_sum", f"the sum of the surprises of {_names(parts)}", *total, budget),
        Combined(
            "combined_adaptive",
            "combined_max with a threshold that follows what it does not call abnormal",
            first.held_out,
            first.scores,
            followed.update(first.scores),
        ),
    ]


def greatest(parts: Sequence[ArmResult], budget: float, name: str) -> Combined:
    """Return `combined_<name>`: a unit is as surprising as the arm says that it surprises most."""
    about = f"the greater surprise (-log10 p) of {_names(parts)}"
    return _decided(f"combined_{name}", about, *_joined(parts, budget, np.max), budget)


def _joined(parts: Sequence[ArmResult], budget: float, join: Callable[..., Any]) -> tuple[Vector, Vector]:
    """Return the joined surprise of held-out and of test units."""
    thresholds = [fit_threshold(part.held_out, budget) for part in parts]
    held_out = [t.surprise(part.held_out) for t, part in zip(thresholds, parts, strict=True)]
    scores = [t.surprise(part.scores) for t, part in zip(thresholds, parts, strict=True)]
    return join(held_out, axis=0).astype(np.float32), join(scores, axis=0).astype(np.float32)


def _names(parts: Sequence[ArmResult]) -> str:
    return " and ".join(part.name for part in parts)


def _decided(name: str, about: str, held_out: Vector, scores: Vector, budget: float) -> Combined:
    return Combined(name, about, held_out, scores, fit_threshold(held_out, budget).is_anomaly(scores))
