"""Upper bound: what labels of the training part would be worth, on the same features."""

from __future__ import annotations

from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from evaluation.arms.arm import Bound
from evaluation.arms.counts import CountFeatures
from evaluation.corpus import Units
from faultline.errors import NotFittedError
from spark.models.base import Matrix, Vector


class LogisticBound:
    """Logistic regression on counts and mean word vectors, classes balanced."""

    def __init__(self) -> None:
        self._features = CountFeatures()
        self._model: Any = None

    def fit(self, units: Units, labels: npt.NDArray[np.int64]) -> Self:
        """Learn from labels; needs both kinds."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import MaxAbsScaler

        self._features.fit(units)
        model = LogisticRegression(C=100.0, class_weight="balanced", max_iter=5000)
        self._model = make_pipeline(MaxAbsScaler(), model).fit(self._matrix(units), labels)
        return self

    def score(self, units: Units) -> Vector:
        """Return log odds, float32 [n]."""
        if self._model is None:
            raise NotFittedError("the supervised bound scores before it was fitted; call fit first")
        return np.asarray(self._model.decision_function(self._matrix(units)), np.float32)

    def _matrix(self, units: Units) -> Matrix:
        counts = np.log1p(self._features.matrix(units))
        return np.hstack([counts, _mean_vectors(units)]).astype(np.float32)


def _mean_vectors(units: Units) -> Matrix:
    codes, place = np.unique(units.space.template_of(units.lines), return_inverse=True)
    x = units.corpus.embed([units.space.templates[code] for code in codes.tolist()], "lexical")
    total = np.zeros((len(units), x.shape[1]), np.float32)
    np.add.at(total, np.repeat(np.arange(len(units)), units.sizes), x[place])
    return np.asarray(total / np.maximum(units.sizes, 1)[:, None], np.float32)


BOUNDS: Final = (Bound("logistic", "logistic regression on labelled training units", LogisticBound),)
