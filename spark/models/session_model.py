"""What normal sessions are made of, and how far another one is from the nearest of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from faultline.artifact import MANIFEST
from spark.models.base import Matrix, Vector
from spark.models.detectors.count_neighbour import CountNeighbour
from spark.models.features import FEATURES_VERSION
from spark.models.parts import read_part
from spark.models.sessions import SessionVocabulary
from spark.models.threshold import ConformalThreshold

DETECTOR: Final = "session"
FOLDER: Final = "sessions"
FILE: Final = "sessions.json"
MAX_COUNT: Final = 1000  # of one template in a session; more says no more, and costs memory
_PREFIX: Final = "count:"
UNKNOWN_COLUMN: Final = "unknown"  # what sessions of normal time never had, see SessionVocabulary

Shape = Mapping[str, int]  # template id -> lines


@dataclass(frozen=True)
class Moved:
    """A template that came more or less often than in the nearest normal session."""

    template: str  # its id; "other" and "unknown" as in SessionVocabulary
    deviation: float  # in units of normal spread
    value: float
    usual: float


@dataclass(frozen=True)
class SessionModel:
    """Count vectors of normal sessions, see detectors/count_neighbour.py, and a calibrated threshold."""

    vocabulary: SessionVocabulary
    neighbour: CountNeighbour
    threshold: ConformalThreshold
    floor: float  # a session that scores no more is not abnormal, see session_training.alert_floor
    writers: Mapping[str, str]  # template id -> the service that usually writes it
    texts: Mapping[str, str]  # template id -> text
    pattern: str  # how keys are found in texts, see features.session_keys
    version: str = ""
    folder: str = ""  # name of its folder, by which the stream's second stage finds it

    def scores(self, shapes: Sequence[Shape]) -> Vector:
        """Return float32 [n], higher = more abnormal; cost is that of the distinct ones."""
        return self.neighbour.score(self.matrix(shapes))

    def matrix(self, shapes: Sequence[Shape]) -> Matrix:
        """Return counts float32 [n, d], d as in `columns`."""
        return count_matrix(self.vocabulary, shapes)

    def is_abnormal(self, scores: Vector) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return bool [n]."""
        return np.asarray(self.threshold.is_anomaly(scores) & (scores > self.floor))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The template of each column."""
        return tuple(name.removeprefix(_PREFIX) for name in self.vocabulary.columns[self.vocabulary.counts])

    def column(self, template: str) -> str:
        """Return the name of the column that counts a template."""
        place = self._places.get(template)
        return UNKNOWN_COLUMN if place is None else self.columns[min(place, self.vocabulary.width_templates)]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {template: place for place, template in enumerate(self.vocabulary.templates)}

    def moved(self, shape: Shape) -> list[Moved]:
        """Return how a session differs from the nearest normal one, what weighs most first."""
        x = self.matrix([shape])
        usual, _ = self.neighbour.nearest(x)
        deviations = self.neighbour.deviations(x, usual)[0]
        order = np.argsort(-np.abs(deviations), kind="stable")
        return [
            Moved(self.columns[i], float(deviations[i]), float(x[0, i]), float(usual[0, i]))
            for i in order
            if x[0, i] != usual[0, i]
        ]

    def save(self, folder: Path) -> None:
        """Write folder `sessions` into the model's folder."""
        place = folder / FOLDER
        place.mkdir(exist_ok=True)
        self.neighbour.save(place)
        state = {
            "features": FEATURES_VERSION,
            "vocabulary": self.vocabulary.to_json(),
            "threshold": self.threshold.to_json(),
            "floor": self.floor,
            "writers": dict(self.writers),
            "texts": dict(self.texts),
            "pattern": self.pattern,
        }
        (place / FILE).write_text(json.dumps(state, sort_keys=True))

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read what `save` wrote, None when the model has no session part; ArtifactError for other features."""
        state = read_part(folder / FOLDER / FILE)
        if state is None:
            return None
        return cls(
            SessionVocabulary.from_json(state["vocabulary"]),
            CountNeighbour.load(folder / FOLDER),
            ConformalThreshold.from_json(state["threshold"]),
            float(state["floor"]),
            state["writers"],
            state["texts"],
            state["pattern"],
            json.loads((folder / MANIFEST).read_text())["version"],
            folder.name,
        )


def count_matrix(vocabulary: SessionVocabulary, shapes: Sequence[Shape]) -> Matrix:
    """Return the template counts of sessions, float32 [n, d]; what came more than MAX_COUNT times came so often."""
    spelled = [
        [template for template, count in sorted(shape.items()) for _ in range(min(count, MAX_COUNT))]
        for shape in shapes
    ]
    return vocabulary.matrix(spelled)[:, vocabulary.counts]
