"""The one rule that decides, for every arm: split-conformal on held-out normal units, budget per 10,000 of them."""

from __future__ import annotations

from typing import Final

import numpy as np

from spark.models.base import Vector
from spark.models.threshold import ConformalThreshold

UNITS_OF_BUDGET: Final = 10_000  # the budget is false alarms per so many normal units
SHUFFLES: Final = 200


def fit_threshold(held_out: Vector, budget: float) -> ConformalThreshold:
    """Return the threshold of a budget given per UNITS_OF_BUDGET normal units; raises TrainingDataError."""
    counts = np.ones(len(held_out), np.int64)
    return ConformalThreshold.fit(held_out, counts, budget_per_day=budget, units_per_day=float(UNITS_OF_BUDGET))


def shuffled_rate(held_out: Vector, budget: float, seed: int) -> float:
    """Return the false-alarm rate on one random half of the held-out scores when the other half calibrates.

    Is the rule wrong, or has normal time changed? Shuffled units cannot drift. NaN for fewer than two units.
    """
    generator, half = np.random.default_rng(seed), len(held_out) // 2
    if half == 0:
        return float("nan")
    orders = [generator.permutation(len(held_out)) for _ in range(SHUFFLES)]
    rates = [
        fit_threshold(held_out[order[:half]], budget).is_anomaly(held_out[order[half:]]).mean() for order in orders
    ]
    return float(np.mean(rates))
