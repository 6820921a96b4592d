"""Trivial and classic ways, which ours must beat in the same table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evaluation.arms.arm import ALL, GROUPED, Arm, Family
from evaluation.arms.counts import CountFeatures
from evaluation.arms.semantic import TemplateScorer
from evaluation.corpus import SEVERE, Units
from faultline.records import Severity
from spark.models.base import Vector
from spark.models.detectors.autoencoder import Autoencoder

KEYWORDS: Final = r"(?i)\b(error|fatal|fail(ed|ure)?|exception|severe|critical|panic|refused|timeout)"
CLASSIC_PERCENTILE: Final = 97.5  # the rule the autoencoder usually comes with
SEED: Final = 7


def fires(held_out: Vector, scores: Vector) -> npt.NDArray[np.bool_]:
    """Decide as a yes-or-no rule does: whatever is above 0."""
    return np.asarray(scores > 0)


def above_percentile(held_out: Vector, scores: Vector) -> npt.NDArray[np.bool_]:
    """Decide by the 97.5th percentile of held-out normal scores."""
    return np.asarray(scores > np.percentile(held_out, CLASSIC_PERCENTILE))


class NewTemplate:
    """Number of lines whose template normal time never had."""

    def fit(self, normal: Units) -> Self:
        """Nothing to learn: the templates' tree knows."""
        return self

    def score(self, units: Units) -> Vector:
        """Return float32 [n]."""
        new = ~units.space.known[units.space.template_of(units.lines)]
        return _sum(units, new)


class Keyword:
    """Number of lines that say so: a level of ERROR or above, or a word such as failed."""

    def fit(self, normal: Units) -> Self:
        """Nothing to learn."""
        return self

    def score(self, units: Units) -> Vector:
        """Return float32 [n]."""
        corpus = units.corpus
        says = corpus.ledger.get(
            "keywords", lambda: pc.match_substring_regex(pa.array(corpus.texts, pa.string()), KEYWORDS).to_numpy(False)
        )
        return _sum(units, says[corpus.masked[units.lines]])


class Level:
    """Number of lines of some level or above."""

    def __init__(self, *levels: Severity) -> None:
        self._levels = levels

    def fit(self, normal: Units) -> Self:
        """Nothing to learn."""
        return self

    def score(self, units: Units) -> Vector:
        """Return float32 [n]."""
        events = units.corpus.labelled.events
        return _sum(units, np.array([events[line].severity in self._levels for line in units.lines], bool))


def _sum(units: Units, by_line: npt.NDArray[np.bool_]) -> Vector:
    ends = np.cumsum(units.sizes)
    total = np.concatenate([[0], np.cumsum(by_line)])
    return np.asarray(total[ends] - total[ends - units.sizes], np.float32)


class UnseenCounts:
    """1 for a unit whose counts of templates equal those of no normal unit."""

    def __init__(self) -> None:
        self._features = CountFeatures()
        self._seen: set[bytes] = set()

    def fit(self, normal: Units) -> Self:
        """Remember each distinct vector of counts."""
        self._seen = {row.tobytes() for row in self._features.fit(normal).matrix(normal)}
        return self

    def score(self, units: Units) -> Vector:
        """Return float32 [n] of 0 and 1."""
        return np.array([row.tobytes() not in self._seen for row in self._features.matrix(units)], np.float32)


class LibraryModel:
    """A model of scikit-learn on counts."""

    def __init__(self, make: Callable[[], Any], score: Callable[[Any, npt.NDArray[np.float32]], Any]) -> None:
        self._make, self._score = make, score
        self._features = CountFeatures()
        self._model: Any = None

    def fit(self, normal: Units) -> Self:
        """Learn counts of normal units."""
        x = self._features.fit(normal).matrix(normal)
        self._model = self._make().fit(x)
        return self

    def score(self, units: Units) -> Vector:
        """Return float32 [n]."""
        return np.asarray(self._score(self._model, self._features.matrix(units)), np.float32)


class Residual:
    """What of a row lies outside the components that hold 95 % of the variance, as in Xu et al. 2009."""

    def __init__(self) -> None:
        self._mean: npt.NDArray[np.float64] = np.zeros(0)
        self._components: npt.NDArray[np.float64] = np.zeros((0, 0))

    def fit(self, x: npt.NDArray[np.float32]) -> Self:
        """Learn the components; there are none where all rows are equal, which the library divides by."""
        from sklearn.decomposition import PCA

        self._mean = x.mean(axis=0, dtype=np.float64)
        varies = bool((x != x[:1]).any())
        model = PCA(n_components=0.95, svd_solver="full", random_state=SEED)
        self._components = model.fit(x).components_ if varies else np.zeros((0, x.shape[1]))
        return self

    def score_samples(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return the squared length of the residual."""
        centred = x - self._mean
        return np.asarray(np.sum((centred - centred @ self._components.T @ self._components) ** 2, axis=1))


def _pca() -> LibraryModel:
    return LibraryModel(Residual, lambda model, x: model.score_samples(x))


def _forest() -> LibraryModel:
    def make() -> Any:
        from sklearn.ensemble import IsolationForest

        return IsolationForest(n_estimators=100, random_state=SEED)

    return LibraryModel(make, lambda model, x: -model.score_samples(x))


class Constant:
    """The same score for everything."""

    def fit(self, normal: Units) -> Self:
        """Nothing to learn."""
        return self

    def score(self, units: Units) -> Vector:
        """Return float32 [n] of 0."""
        return np.zeros(len(units), np.float32)


class Random:
    """Any score: what luck gives."""

    def fit(self, normal: Units) -> Self:
        """Nothing to learn."""
        return self

    def score(self, units: Units) -> Vector:
        """Return float32 [n] in [0, 1), the same for the same units."""
        return np.random.default_rng(SEED + len(units)).random(len(units), np.float32)


def _classic_autoencoder() -> TemplateScorer:
    return TemplateScorer(Autoencoder, "minilm")


B: Final = Family.BASELINE
ARMS: Final = (
    Arm("new_template", B, "fires on any template normal time never had", NewTemplate, ALL, fires),
    Arm("keywords", B, "fires on ERROR, FATAL, fail, exception and the like", Keyword, ALL, fires),
    Arm("level_error", B, "fires on lines of level ERROR or above", lambda: Level(*SEVERE), ALL, fires),
    Arm("level_fatal", B, "fires on lines of level FATAL", lambda: Level(Severity.FATAL), ALL, fires),
    Arm("unseen_counts", B, "fires on counts of templates no normal unit had", UnseenCounts, GROUPED, fires),
    Arm("pca_counts", B, "residual of a PCA on counts (words of a line; templates of a unit)", _pca),
    Arm("isolation_forest", B, "isolation forest on the same counts", _forest, quick=False),
    Arm(
        "autoencoder_97.5",
        B,
        "autoencoder 384-64-384 with its usual 97.5th percentile",
        _classic_autoencoder,
        ALL,
        above_percentile,
        quick=False,
    ),
    Arm("constant", B, "the same score for everything", Constant),
    Arm("random", B, "a random score", Random),
)
