"""How sure the figures are: 95 % intervals of medians, shares and rates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any, Final

import numpy as np
from scipy.stats import binomtest, bootstrap, chi2

CONFIDENCE: Final = 0.95
RESAMPLES: Final = 2000  # the ends of a 95 % interval are then the 50th lowest and highest of all medians


@dataclass(frozen=True)
class Estimate:
    """A figure, the 95 % interval around it, and from how many observations; NaN where there are too few."""

    value: float
    low: float
    high: float
    count: int


NOTHING: Final = Estimate(nan, nan, nan, 0)


def median(values: Sequence[float], seed: int) -> Estimate:
    """Return the median with its bootstrap percentile interval (Efron, 1979); NaN without values.

    One value has no interval. Percentile and not BCa: of five repeats, some of them alike, the acceleration that BCa
    needs cannot be computed.

    >>> median([1.0, 2.0, 9.0], seed=7)
    Estimate(value=2.0, low=1.0, high=9.0, count=3)
    """
    return clustered_median(values, range(len(values)), seed)


def clustered_median(values: Sequence[float], clusters: Sequence[Hashable], seed: int) -> Estimate:
    """Return the median over all values; the bootstrap draws whole clusters.

    `clusters`: for each value what it was measured on. Repeats of one kind of fault are alike, so that resampling them
    one by one would promise more than a handful of kinds can tell of the next kind (Davison and Hinkley, 1997, 3.8).
    """
    return _clustered(values, clusters, seed, np.median)


def clustered_mean(values: Sequence[float], clusters: Sequence[Hashable], seed: int) -> Estimate:
    """Return the mean over all values, its interval as in `clustered_median`.

    >>> clustered_mean([0.0, 1.0, 1.0, 1.0], "aabb", seed=7)
    Estimate(value=0.75, low=0.5, high=1.0, count=4)
    """
    return _clustered(values, clusters, seed, np.mean)


def _clustered(
    values: Sequence[float], clusters: Sequence[Hashable], seed: int, statistic: Callable[..., Any]
) -> Estimate:
    if not len(values):
        return NOTHING
    middle = float(statistic(values))
    members: dict[Hashable, list[float]] = defaultdict(list)
    for value, cluster in zip(values, clusters, strict=True):
        members[cluster].append(value)
    groups = [np.asarray(members[cluster]) for cluster in members]
    if len(groups) == 1:
        return Estimate(middle, nan, nan, len(values))
    low, high = _resampled(groups, seed, statistic)
    return Estimate(middle, low, high, len(values))


def _resampled(groups: Sequence[np.ndarray], seed: int, statistic: Callable[..., Any]) -> tuple[float, float]:
    everything = np.concatenate(groups)
    if np.ptp(everything) == 0:  # scipy warns of an interval without width
        return float(everything[0]), float(everything[0])

    def of_drawn(drawn: np.ndarray) -> float:
        return float(statistic(np.concatenate([groups[index] for index in drawn])))

    alone = len(everything) == len(groups)  # clusters of one: the same draws, a hundred times faster at once
    found = bootstrap(
        (everything if alone else np.arange(len(groups)),),
        statistic if alone else of_drawn,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        vectorized=alone,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)


def share(hits: int, count: int) -> Estimate:
    """Return a proportion with its exact interval (Clopper and Pearson, 1934); NaN of nothing.

    >>> share(5, 5).low.__round__(3)
    0.478
    """
    if count == 0:
        return NOTHING
    interval = binomtest(hits, count).proportion_ci(CONFIDENCE, method="exact")
    return Estimate(hits / count, float(interval.low), float(interval.high), count)


def rate(events: int, hours: float) -> Estimate:
    """Return events an hour with the exact Poisson interval (Garwood, 1936); NaN of no time.

    >>> rate(0, 1.0).high.__round__(2)
    3.69
    """
    if hours <= 0:
        return NOTHING
    tail = (1 - CONFIDENCE) / 2
    low = chi2.ppf(tail, 2 * events) / 2 if events else 0.0
    high = chi2.ppf(1 - tail, 2 * (events + 1)) / 2
    return Estimate(events / hours, float(low) / hours, float(high) / hours, events)


def times(estimate: Estimate, factor: float) -> Estimate:
    """Return a figure in another unit, its interval with it."""
    return Estimate(estimate.value * factor, estimate.low * factor, estimate.high * factor, estimate.count)
