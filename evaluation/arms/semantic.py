"""What a line says: distance of its template to those of normal time; a unit scores as its most abnormal line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto
from typing import Final, Self

import numpy as np

from evaluation.arms.arm import Arm, Family
from evaluation.corpus import Units
from faultline.errors import NotFittedError
from spark.models.base import Detector, Vector
from spark.models.detectors.autoencoder import Autoencoder
from spark.models.detectors.mahalanobis import Mahalanobis
from spark.models.detectors.nearest import NearestTemplate
from spark.models.severity import severity_weights


class Prior(Enum):
    """What is known of a new line before it is compared."""

    NONE = auto()
    SEVERE = auto()
    TONE = auto()


class TemplateScorer:
    """Scores each template once with a detector of the project, in the vectors of `spaces`; their mean when several.

    `prior`: NONE, SEVERE for errors twice as far, or TONE for the stream's own, see spark/models/severity.py.
    """

    def __init__(self, make: Callable[[], Detector], *spaces: str, prior: Prior = Prior.NONE) -> None:
        self._make, self._spaces, self._prior = make, spaces, prior
        self._detectors: dict[str, Detector] = {}

    def fit(self, normal: Units) -> Self:
        """Learn from the templates of normal units, each as often as it was written."""
        codes, counts = np.unique(normal.space.template_of(normal.lines), return_counts=True)
        texts = [normal.space.templates[code] for code in codes.tolist()]
        self._detectors = {
            space: self._make().fit(_embed(normal, texts, space), counts.astype(np.int64)) for space in self._spaces
        }
        return self

    def score(self, units: Units) -> Vector:
        """Return the highest score of a unit's lines, float32 [n]."""
        if not self._detectors:
            raise NotFittedError("a template scorer scores before it was fitted; call fit first")
        codes, place = np.unique(units.space.template_of(units.lines), return_inverse=True)
        texts = [units.space.templates[code] for code in codes.tolist()]
        if not texts:
            return np.zeros(len(units), np.float32)
        parts = [detector.score(_embed(units, texts, space)) for space, detector in self._detectors.items()]
        mean = np.asarray(np.mean(parts, axis=0, dtype=np.float64), np.float32)
        return units.highest((mean * self._weights(units, texts))[place])

    def _weights(self, units: Units, texts: list[str]) -> Vector:
        if self._prior is Prior.NONE:
            return np.ones(len(texts), np.float32)
        leans = units.corpus.leans(texts).tolist() if self._prior is Prior.TONE else [1.0] * len(texts)
        return np.array(severity_weights(texts, leans), np.float32)


def _embed(units: Units, texts: list[str], space: str) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    corpus = units.corpus
    return corpus.ledger.get((space, tuple(texts)), lambda: corpus.embed(texts, space))


def _arm(
    name: str, about: str, make: Callable[[], Detector], *spaces: str, prior: Prior = Prior.NONE, quick: bool = True
) -> Arm:
    return Arm(name, Family.SEMANTIC, about, lambda: TemplateScorer(make, *spaces, prior=prior), quick=quick)


ARMS: Final = (
    _arm("nearest_minilm", "nearest normal template, MiniLM vectors", NearestTemplate, "minilm"),
    _arm("nearest_lexical", "nearest normal template, words and word pairs", NearestTemplate, "lexical"),
    _arm("nearest_both", "mean of the two distances", NearestTemplate, "minilm", "lexical"),
    _arm(
        "severity_minilm",
        "nearest_minilm, ERROR and above twice as far",
        NearestTemplate,
        "minilm",
        prior=Prior.SEVERE,
    ),
    replace(
        _arm(
            "tone_minilm",
            "severity_minilm, new lines that read like routine not at all",
            NearestTemplate,
            "minilm",
            prior=Prior.TONE,
        ),
        streams=True,
    ),
    _arm(
        "severity_lexical",
        "nearest_lexical, ERROR and above twice as far",
        NearestTemplate,
        "lexical",
        prior=Prior.SEVERE,
    ),
    _arm(
        "severity_both",
        "nearest_both, ERROR and above twice as far",
        NearestTemplate,
        "minilm",
        "lexical",
        prior=Prior.SEVERE,
    ),
    _arm("mahalanobis_minilm", "Mahalanobis distance to normal templates, MiniLM vectors", Mahalanobis, "minilm"),
    _arm("autoencoder_minilm", "autoencoder 384-64-384 on MiniLM vectors", Autoencoder, "minilm", quick=False),
)
