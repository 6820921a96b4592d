"""Rank the candidates of an incident by a weighted sum of what speaks for each: a conditional logit.

McFadden, 1974: the probability of a candidate is the softmax of its utility among those of its incident. Weights are
few, signed by what they mean, and told with every answer: what a candidate owes its rank to can be read off.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from scipy.optimize import minimize

from faultline.errors import ArtifactError, NotFittedError, TrainingDataError
from spark.models.root_cause.situation import FEATURES, OWN, Candidates

FILE: Final = "root_cause.json"
FORMAT: Final = 1
# What is believed before any incident has been seen: each kind of symptom speaks for its service, alike, and what
# relates services to each other says less. Incidents draw the weights away from it; a kind that none of them had keeps
# its own. Round numbers.
PRIOR_OWN: Final = 4.0
PRIOR_RELATION: Final = 1.0
PENALTY: Final = 0.2  # of a squared distance from the prior: as much as some tens of incidents can outweigh
NEGATIVE: Final = frozenset({"explained", "blames"})  # speak against a candidate
FREE: Final = frozenset({"is_change"})  # an offset, either way; to name the change says more than to name its service
MOST_WEIGHT: Final = 50.0
_BOUNDS: Final = tuple(
    (-MOST_WEIGHT, MOST_WEIGHT) if name in FREE else (-MOST_WEIGHT, 0.0) if name in NEGATIVE else (0.0, MOST_WEIGHT)
    for name in FEATURES
)
_PRIOR: Final = np.array(
    [PRIOR_OWN if name in OWN else -PRIOR_RELATION if name in NEGATIVE | FREE else PRIOR_RELATION for name in FEATURES]
)

Vector = np.ndarray[Any, np.dtype[np.float64]]
_Case = tuple[Vector, np.ndarray[Any, np.dtype[np.bool_]]]  # numbers of candidates, and which are the cause


@dataclass(frozen=True)
class LabelledCandidates:
    """The candidates of a past incident and which of them were the cause."""

    candidates: Candidates
    causes: frozenset[str]  # names; any of them counts


class Ranker:
    """Weights of FEATURES; `probabilities` of the candidates of one incident sum to 1."""

    def __init__(self, weights: Vector | None = None) -> None:
        self._weights = weights

    @classmethod
    def prior(cls) -> Self:
        """Return the ranker that has not seen an incident."""
        return cls(_PRIOR.copy())

    @classmethod
    def delivered(cls) -> Self:
        """Return the ranker with the weights that incidents of this project taught: where a system begins."""
        return cls.load(Path(__file__).parent)

    def fit(self, incidents: Sequence[LabelledCandidates]) -> Self:
        """Return a ranker that makes the known causes most likely, drawn to this one's weights, else to the prior.

        So what one system taught is where another begins. Convex: the same data give the same weights. Raises
        TrainingDataError when no incident has its cause among its candidates.
        """
        usable = [item for item in incidents if not item.causes.isdisjoint(item.candidates.names)]
        if not usable:
            raise TrainingDataError("no incident with its cause among its candidates, expected at least one")
        cases = [
            (item.candidates.x, np.array([name in item.causes for name in item.candidates.names])) for item in usable
        ]
        begin = _PRIOR if self._weights is None else self._weights
        found = minimize(_loss, begin, args=(cases, begin), jac=True, method="L-BFGS-B", bounds=_BOUNDS)
        return type(self)(np.asarray(found.x, np.float64))

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each feature; raises NotFittedError."""
        return dict(zip(FEATURES, self._fitted().tolist(), strict=True))

    def probabilities(self, candidates: Candidates) -> Vector:
        """Return the probability of each candidate, float64 [n]; raises NotFittedError."""
        utility = candidates.x @ self._fitted()
        return _softmax(utility) if len(utility) else utility

    def contributions(self, candidates: Candidates) -> Vector:
        """Return what each feature adds to a candidate's utility, float64 [n, len(FEATURES)]; raises NotFittedError."""
        return candidates.x * self._fitted()

    def order(self, candidates: Candidates) -> list[int]:
        """Return the candidates' places, the most likely first, equals by name; raises NotFittedError."""
        p = self.probabilities(candidates)
        return sorted(range(len(p)), key=lambda i: (-p[i], candidates.names[i]))

    def save(self, folder: Path) -> None:
        """Write root_cause.json; raises NotFittedError."""
        (folder / FILE).write_text(json.dumps({"format": FORMAT, "weights": self.weights}, indent=2, sort_keys=True))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; raises ArtifactError when it is missing, altered or of other features."""
        path = folder / FILE
        try:
            state = json.loads(path.read_text())
            if state["format"] != FORMAT or set(state["weights"]) != set(FEATURES):
                raise ValueError(f"format {state['format']} with features {sorted(state['weights'])}")
            return cls(np.array([float(state["weights"][name]) for name in FEATURES]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            text = f"{path}: {error}, expected format {FORMAT} with {', '.join(FEATURES)}; train again"
            raise ArtifactError(text) from error

    def _fitted(self) -> Vector:
        if self._weights is None:
            raise NotFittedError("the ranker has no weights yet; fit or load one")
        return self._weights


def _softmax(utility: Vector) -> Vector:
    raised = np.exp(utility - utility.max())
    return np.asarray(raised / raised.sum())


def _loss(weights: Vector, cases: Sequence[_Case], prior: Vector) -> tuple[float, Vector]:
    """Return the negative log-likelihood with its penalty, and the gradient."""
    away = weights - prior
    loss, gradient = PENALTY * float(away @ away), 2 * PENALTY * away
    for x, is_cause in cases:
        p = _softmax(x @ weights)
        likely = max(float(p[is_cause].sum()), 1e-300)
        loss -= float(np.log(likely))
        gradient += x.T @ p - x[is_cause].T @ (p[is_cause] / likely)
    return loss, gradient
