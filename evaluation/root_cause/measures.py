"""How well causes are ranked: accuracy at k, Avg@5 and mean reciprocal rank, with intervals over kinds of fault."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from faultline.statistics import Estimate, clustered_mean

DEPTH: Final = 5  # of Avg@5; nobody reads further


@dataclass(frozen=True)
class Accuracy:
    """Figures of one arm on one set of incidents, after MicroRank (Yu et al. 2021, doi 10.1145/3442381.3449905)."""

    ac1: Estimate
    ac3: Estimate
    avg5: Estimate
    mrr: Estimate


def measure(ranks: Sequence[int | None], clusters: Sequence[Hashable], seed: int) -> Accuracy:
    """Return the figures; `ranks` from 1, None where the cause was not named at all. `clusters`: the kind of each.

    >>> found = measure([1, 2, None], "abc", seed=7)
    >>> [round(estimate.value, 2) for estimate in (found.ac1, found.ac3, found.avg5, found.mrr)]
    [0.33, 0.67, 0.6, 0.5]
    """

    def mean(values: list[float]) -> Estimate:
        return clustered_mean(values, clusters, seed)

    return Accuracy(
        mean([_within(rank, 1) for rank in ranks]),
        mean([_within(rank, 3) for rank in ranks]),
        mean([sum(_within(rank, k) for k in range(1, DEPTH + 1)) / DEPTH for rank in ranks]),
        mean([1.0 / rank if rank else 0.0 for rank in ranks]),
    )


def _within(rank: int | None, k: int) -> float:
    return float(rank is not None and rank <= k)


def guessed(candidates: int) -> tuple[float, float, float, float]:
    """Return AC@1, AC@3, Avg@5 and MRR that guessing among so many candidates is expected to reach.

    >>> [round(value, 3) for value in guessed(10)]
    [0.1, 0.3, 0.3, 0.293]
    """
    at = [min(k / candidates, 1.0) for k in range(1, DEPTH + 1)]
    return at[0], at[2], sum(at) / DEPTH, sum(1 / rank for rank in range(1, candidates + 1)) / candidates
