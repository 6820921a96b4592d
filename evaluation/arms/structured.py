"""What the numbers do: how often each template comes in a session, or in a minute of a service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, Self

import numpy as np

from evaluation.arms.arm import Arm, Family
from evaluation.corpus import Units
from evaluation.datasets.labelled import UnitKind
from faultline.errors import NotFittedError
from spark.models.base import Detector, Matrix, Vector
from spark.models.detectors.count_neighbour import CountNeighbour
from spark.models.detectors.robust import RobustDeviation
from spark.models.session_model import count_matrix
from spark.models.sessions import MAX_STEPS, SessionVocabulary

FEWEST: Final = 5  # windows of a service; one with fewer is judged against those of all services


class SessionScorer:
    """Nearest normal count vector of the project's session features.

    Without steps this is what streams: `session_model.count_matrix` and CountNeighbour. What `session_training` does
    on top is not judged here: it sets aside sessions that the ends of normal time may have cut, and has a threshold of
    its own kind; here a session is whole, and all arms decide by the same rule.
    """

    def __init__(self, *, steps: bool = True) -> None:
        self._steps = steps
        self._vocabulary: SessionVocabulary | None = None
        self._detector = CountNeighbour()

    def fit(self, normal: Units) -> Self:
        """Learn templates, steps and counts of normal units."""
        sequences = normal.sequences()
        self._vocabulary = SessionVocabulary.fit(sequences, max_steps=MAX_STEPS if self._steps else 0)
        self._detector.fit(self._matrix(normal), np.ones(len(normal), np.int64))
        return self

    def score(self, units: Units) -> Vector:
        """Return float32 [n]."""
        return self._detector.score(self._matrix(units))

    def _matrix(self, units: Units) -> Matrix:
        if self._vocabulary is None:
            raise NotFittedError("a session scorer scores before it was fitted; call fit first")
        sequences = units.sequences()
        if self._steps:
            return self._vocabulary.matrix(sequences)
        return count_matrix(self._vocabulary, [Counter(sequence) for sequence in sequences])


class ServiceWindowScorer:
    """One detector a service, on its own counts: what is normal for one service is not for another."""

    def __init__(self, make: type[Detector] = RobustDeviation) -> None:
        self._make = make
        self._by_service: dict[str, tuple[SessionVocabulary, Detector]] = {}

    def fit(self, normal: Units) -> Self:
        """Learn each service's windows; "" is all of them together."""
        sequences, groups = normal.sequences(), normal.groups
        for service in ["", *sorted(set(groups))]:
            own = [s for s, group in zip(sequences, groups, strict=True) if service in ("", group)]
            if len(own) >= FEWEST and any(own):
                vocabulary = SessionVocabulary.fit(own, max_steps=0)
                counts = np.ones(len(own), np.int64)
                self._by_service[service] = vocabulary, self._make().fit(count_columns(vocabulary, own), counts)
        return self

    def score(self, units: Units) -> Vector:
        """Return float32 [n]."""
        sequences, groups = units.sequences(), units.groups
        scores = np.zeros(len(units), np.float32)
        chosen = [group if group in self._by_service else "" for group in groups]
        for service in sorted(set(chosen)):
            vocabulary, detector = self._by_service[service]
            rows = [row for row, group in enumerate(chosen) if group == service]
            scores[rows] = detector.score(count_columns(vocabulary, [sequences[row] for row in rows]))
        return scores


def count_columns(vocabulary: SessionVocabulary, sequences: Sequence[Sequence[str]]) -> Matrix:
    """Return the columns of `vocabulary.matrix` that count, float32 [n, d]: order within a second is chance."""
    kept = [i for i, name in enumerate(vocabulary.columns) if not name.startswith("step:")]
    return vocabulary.matrix(sequences)[:, kept]


SESSIONS: Final = frozenset({UnitKind.SESSION})
WINDOWS: Final = frozenset({UnitKind.WINDOW})
ARMS: Final = (
    Arm(
        "session_counts",
        Family.STRUCTURED,
        "nearest normal session: counts of templates, weighted by their spread",
        lambda: SessionScorer(steps=False),
        SESSIONS,
        streams=True,
    ),
    Arm(
        "session_steps", Family.STRUCTURED, "session_counts, and which template follows which", SessionScorer, SESSIONS
    ),
    Arm(
        "window_robust",
        Family.STRUCTURED,
        "counts of templates in a minute of a service, robust deviation",
        ServiceWindowScorer,
        WINDOWS,
    ),
    Arm(
        "window_neighbour",
        Family.STRUCTURED,
        "counts of templates in a minute of a service, nearest normal minute",
        lambda: ServiceWindowScorer(CountNeighbour),
        WINDOWS,
    ),
)
