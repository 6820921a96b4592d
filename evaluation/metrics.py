"""What a detector is worth on labelled units: library functions, and intervals for all that is estimated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float32]
Interval = tuple[float, float]
Counts = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

LEVEL: Final = 0.95
ROUNDS: Final = 1000  # of the bootstrap of a decision
CURVE_ROUNDS: Final = 500  # of AUROC and average precision, which hold rounds * n counts
NAN: Final = float("nan")


@dataclass(frozen=True)
class Metrics:
    """Figures of one arm on one set; NaN where a set has no abnormal unit, or none to tell."""

    precision: float
    recall: float
    f1: float
    f1_interval: Interval
    auroc: float
    auroc_interval: Interval
    average_precision: float
    average_precision_interval: Interval
    best_f1: float  # over all thresholds, chosen with the test labels: an oracle, not a result
    true_alarms: int
    false_alarms: int
    missed: int
    false_rate: float  # share of normal units called abnormal
    false_rate_interval: Interval

    @property
    def false_per_10000(self) -> float:
        """False alarms per 10,000 normal units."""
        return 10_000 * self.false_rate


def measure(labels: Labels, scores: Scores, flags: Flags, seed: int) -> Metrics:
    """Return the figures; labels 0 or 1 [n], scores float32 [n], flags bool [n]. Equal seeds give equal intervals."""
    from sklearn.metrics import f1_score, precision_score, recall_score

    abnormal = labels == 1
    has_both = bool(abnormal.any() and not abnormal.all())
    scores = np.nan_to_num(scores, nan=float(np.finfo(np.float32).max))
    false = int((flags & ~abnormal).sum())
    own = {"zero_division": 0.0}
    return Metrics(
        float(precision_score(labels, flags, **own)) if has_both else NAN,
        float(recall_score(labels, flags, **own)) if has_both else NAN,
        float(f1_score(labels, flags, **own)) if has_both else NAN,
        f1_interval(labels, flags, seed) if has_both else (NAN, NAN),
        *(_curve_metrics(labels, scores, seed) if has_both else (NAN, (NAN, NAN), NAN, (NAN, NAN), NAN)),
        true_alarms=int((flags & abnormal).sum()),
        false_alarms=false,
        missed=int((~flags & abnormal).sum()),
        false_rate=false / max(int((~abnormal).sum()), 1),
        false_rate_interval=rate_interval(false, int((~abnormal).sum())),
    )


def rate_interval(events: int, trials: int) -> Interval:
    """Return the exact 95 % interval of a share (Clopper and Pearson 1934).

    >>> low, high = rate_interval(0, 100)
    >>> low, round(high, 4)
    (0.0, 0.0362)
    """
    from scipy.stats import binomtest

    if trials == 0:
        return NAN, NAN
    found = binomtest(events, trials).proportion_ci(LEVEL, "exact")
    return float(found.low), float(found.high)


def f1_interval(labels: Labels, flags: Flags, seed: int) -> Interval:
    """Return the bootstrap 95 % interval of F1: units drawn with replacement.

    Only the four counts of the table matter, so a draw of n units is one draw of a multinomial.
    """
    counts = np.array([(flags & (labels == 1)).sum(), (flags & (labels == 0)).sum(), (~flags & (labels == 1)).sum()])
    share = np.append(counts, len(labels) - counts.sum()) / len(labels)
    true, false, missed, _ = np.random.default_rng(seed).multinomial(len(labels), share, ROUNDS).T
    return _percentiles(2 * true / np.maximum(2 * true + false + missed, 1))


def _curve_metrics(labels: Labels, scores: Scores, seed: int) -> tuple[float, Interval, float, Interval, float]:
    from sklearn.metrics import average_precision_score, roc_auc_score

    areas, precisions = resampled_curves(labels, scores, _draws(len(labels), seed))
    return (
        float(roc_auc_score(labels, scores)),
        _percentiles(areas),
        float(average_precision_score(labels, scores)),
        _percentiles(precisions),
        best_f1(labels, scores),
    )


def _draws(n: int, seed: int) -> Counts:
    """Return how often each of n units is in each bootstrap sample, int64 [rounds, n]."""
    picked = np.random.default_rng(seed).integers(0, n, (CURVE_ROUNDS, n))
    offsets = n * np.arange(CURVE_ROUNDS)[:, None]
    return np.bincount((picked + offsets).ravel(), minlength=n * CURVE_ROUNDS).reshape(CURVE_ROUNDS, n)


def resampled_curves(labels: Labels, scores: Scores, times: Counts) -> tuple[Values, Values]:
    """Return AUROC and average precision of resampled units, float64 [rounds] each, without samples of one label.

    `times` [rounds, n] says how often each unit is in a sample. Equals scikit-learn with these as sample weights,
    of which a call costs a sort; this sorts once for all samples.
    """
    order = np.argsort(-scores, kind="stable")
    first = np.flatnonzero(np.diff(scores[order], prepend=np.inf) != 0)  # where a new score begins, highest first
    is_abnormal = labels[order] == 1
    abnormal = np.add.reduceat(times[:, order] * is_abnormal, first, axis=1).astype(np.float64)
    normal = np.add.reduceat(times[:, order] * ~is_abnormal, first, axis=1).astype(np.float64)
    true, false = abnormal.cumsum(axis=1), normal.cumsum(axis=1)
    both = (true[:, -1] > 0) & (false[:, -1] > 0)
    abnormal, normal, true, false = abnormal[both], normal[both], true[both], false[both]
    below = false[:, -1:] - false  # normal units that score less
    areas = (abnormal * (below + normal / 2)).sum(axis=1) / (true[:, -1] * false[:, -1])
    precision = true / np.maximum(true + false, 1)
    return areas, (abnormal * precision).sum(axis=1) / true[:, -1]


def best_f1(labels: Labels, scores: Scores) -> float:
    """Return the highest F1 of any threshold: what a perfect choice with the test labels would give."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(labels, scores)
    return float((2 * precision * recall / np.maximum(precision + recall, 1e-12)).max())


def _percentiles(values: npt.NDArray[np.float64]) -> Interval:
    if len(values) == 0:
        return NAN, NAN
    low, high = np.percentile(values, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(low), float(high)
