"""A threshold that adapts: what the budget is worth, what it follows, what it must not learn, what it recovers from."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import sqrt

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.errors import ArtifactError, ConfigError
from spark.models.adaptive import MAX_SHARE, AdaptiveThreshold, calm_limit
from spark.models.base import Vector
from spark.models.threshold import ConformalThreshold

Draw = Callable[[np.random.Generator, int], npt.NDArray[np.float64]]
RECOVERY, CAPACITY = 200, 1000
FAULT = 20.0  # normal scores are some 3 at most

SHAPES: dict[str, Draw] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "exponential": lambda rng, n: rng.exponential(size=n),
    "heavy tail": lambda rng, n: rng.pareto(2.0, size=n),
    "mostly zero": lambda rng, n: np.where(rng.random(n) < 0.9, 0.0, rng.exponential(size=n)),
}


def calibrated(scores: npt.NDArray[np.float64], alpha: float = 0.01) -> ConformalThreshold:
    return ConformalThreshold.fit(
        scores.astype(np.float32), np.ones(len(scores), np.int64), budget_per_day=alpha * 1000, units_per_day=1000.0
    )


def adaptive(seed: int = 0, alpha: float = 0.01, draw: Draw = SHAPES["normal"]) -> AdaptiveThreshold:
    base = calibrated(draw(np.random.default_rng([seed, 1]), CAPACITY), alpha)
    return AdaptiveThreshold(base, capacity=CAPACITY, recovery_units=RECOVERY)


def normal(n: int, seed: int = 0) -> Vector:
    return np.random.default_rng([seed, 2]).normal(size=n).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("alpha", [0.01, 0.05])
def test_false_alarms_on_exchangeable_scores_keep_the_budget(shape: str, alpha: float) -> None:
    draw = SHAPES[shape]
    rates = [
        adaptive(seed, alpha, draw).update(draw(np.random.default_rng([seed, 3]), 4000).astype(np.float32)).mean()
        for seed in range(5)
    ]
    mean, error = float(np.mean(rates)), float(np.std(rates, ddof=1)) / sqrt(len(rates))
    # The rates of five independent runs: Student's 95 % interval with four degrees of freedom, and the grain of alpha.
    assert abs(mean - alpha) <= 2.776 * error + alpha / 10


@given(st.integers(0, 10))
def test_it_begins_as_the_calibrated_threshold(seed: int) -> None:
    base = calibrated(np.random.default_rng(seed).normal(size=300))
    threshold, x = AdaptiveThreshold(base, capacity=300, recovery_units=10), normal(200, seed)
    assert np.array_equal(threshold.p_values(x), base.p_values(x))
    assert np.array_equal(threshold.is_anomaly(x), base.is_anomaly(x))
    assert (threshold.level, threshold.current.bound_per_day) == (base.level, base.bound_per_day)


def test_of_much_held_out_time_an_even_sample_is_kept() -> None:
    base = calibrated(np.arange(100_000.0))
    current = AdaptiveThreshold(base, capacity=1000, recovery_units=10).current
    assert (current.units, current.alpha) == (1000, base.alpha)
    asked = np.array([10, 50_000, 99_000, 99_900], np.float32)
    np.testing.assert_allclose(current.p_values(asked), base.p_values(asked), atol=0.001)


def test_a_slow_drift_is_followed() -> None:
    drift = np.linspace(0.0, 6.0, 30 * CAPACITY, dtype=np.float32)  # a fifth of a standard deviation a reservoir
    x = normal(len(drift)) + drift
    threshold, base = adaptive(), adaptive().current
    flags = threshold.update(x)
    assert flags.mean() < 0.02
    assert base.is_anomaly(x).mean() > 0.5


def test_a_drift_downwards_is_followed_too() -> None:
    threshold = adaptive()
    threshold.update(normal(30 * CAPACITY) - np.linspace(0.0, 6.0, 30 * CAPACITY, dtype=np.float32))
    assert threshold.update(np.array([0.0], np.float32)).all()  # once the middle, now far above


@given(st.integers(1, RECOVERY - 1), st.floats(6.0, 1e6, width=32), st.integers(0, 5))
def test_a_burst_shorter_than_the_recovery_is_not_learned(length: int, height: float, seed: int) -> None:
    threshold = adaptive(seed)
    before = threshold.update(normal(300, seed)).mean()
    assert threshold.update(np.full(length, height, np.float32)).all()
    assert threshold.update(normal(3 * RECOVERY, seed + 50)).mean() <= max(0.02, before)
    assert threshold.update(np.full(length, height, np.float32)).all()  # it comes again, and is seen again


def test_single_anomalies_within_the_budget_are_not_learned() -> None:
    threshold, missed = adaptive(), 0
    for seed in range(60):
        threshold.update(normal(99, seed))
        missed += int(not threshold.update(np.array([FAULT], np.float32)).all())
    assert missed == 0


@pytest.mark.parametrize("alpha", [0.0001, 0.01, 0.2])
def test_a_permanent_shift_is_recovered_from(alpha: float) -> None:
    threshold = adaptive(alpha=alpha)
    shifted = normal(10 * RECOVERY) + np.float32(FAULT)
    flags = threshold.update(shifted)
    assert flags[:RECOVERY].all()  # so long it may be a fault
    assert flags[RECOVERY : 3 * RECOVERY].mean() < max(0.05, 2 * alpha)
    assert flags[-2 * RECOVERY :].mean() < max(0.02, 2 * alpha)


def test_a_shift_of_some_of_the_units_is_recovered_from_later() -> None:
    x = normal(20 * RECOVERY)
    x[np.random.default_rng(7).random(len(x)) < 0.3] += np.float32(FAULT)
    flags = adaptive().update(x)
    assert flags[:RECOVERY].mean() > 0.2
    assert flags[-4 * RECOVERY :].mean() < 0.03


def test_what_is_no_number_is_flagged_and_never_becomes_normal() -> None:
    threshold = adaptive()
    assert threshold.update(np.full(3 * RECOVERY, np.nan, np.float32)).all()
    assert threshold.update(np.full(3, np.inf, np.float32)).all()
    assert np.isfinite(threshold.current.scores).all()
    assert threshold.update(normal(500)).mean() < 0.03


@given(st.lists(st.floats(0, 30, width=32), max_size=80), st.integers(1, 20))
def test_batches_of_any_size_do_the_same(scores: list[float], size: int) -> None:
    whole, parts = small(), small()
    x = np.array(scores, np.float32)
    flags = [parts.update(x[at : at + size]) for at in range(0, len(x), size)]
    assert np.array_equal(whole.update(x), np.concatenate(flags) if flags else np.empty(0, bool))
    assert whole.to_json() == parts.to_json()


def small() -> AdaptiveThreshold:
    return AdaptiveThreshold(calibrated(np.arange(20.0) / 10, alpha=0.1), capacity=30, recovery_units=8)


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, float("inf"), float("nan")]) | st.floats(0, 30, width=32)))
def test_what_is_stored_goes_on_alike_and_is_bounded(scores: list[float]) -> None:
    threshold = small()
    threshold.update(np.array(scores, np.float32))
    state = threshold.to_json()
    again = AdaptiveThreshold.from_json(json.loads(json.dumps(state, allow_nan=False)))
    assert again.to_json() == state
    x = np.array([0.5, 25.0, 3.0, *scores], np.float32)
    assert np.array_equal(again.update(x), threshold.update(x))
    assert again.to_json() == threshold.to_json()
    assert len(state["scores"]) <= 30
    assert len(state["recent"]) <= 8 >= len(state["quarantine"])
    assert len(state["admitted"]) <= max(1, MAX_SHARE * threshold.level * 30 + 1)


def test_asking_teaches_nothing() -> None:
    threshold = small()
    before = threshold.to_json()
    threshold.p_values(np.array([5.0], np.float32))
    threshold.is_anomaly(np.array([5.0], np.float32))
    assert threshold.to_json() == before


def test_one_held_out_unit_is_a_beginning() -> None:
    threshold = AdaptiveThreshold(calibrated(np.zeros(1)), capacity=CAPACITY, recovery_units=RECOVERY)
    assert threshold.update(normal(4000) + 10)[-1000:].mean() < 0.03


@pytest.mark.parametrize(("units", "level", "limit"), [(10, 1.0, 10), (1, 1e-9, 0), (360, 0.01, 11)])
def test_calm_is_what_normal_time_does_by_chance(units: int, level: float, limit: int) -> None:
    assert calm_limit(units, level) == limit


@pytest.mark.parametrize("key", ["capacity", "recovery_units"])
def test_sizes_are_checked(key: str) -> None:
    with pytest.raises(ConfigError, match=f"{key} is 0, expected a whole number of units, 1 or more"):
        AdaptiveThreshold(calibrated(np.zeros(3)), **{"capacity": 5, "recovery_units": 5, key: 0})


@pytest.mark.parametrize("key", ["alpha", "rise", "scores", "admitted", "recent", "quarantine", "capacity"])
def test_a_bad_state_is_refused(key: str) -> None:
    state = small().to_json()
    del state[key]
    with pytest.raises(ArtifactError, match=rf"adaptive threshold: KeyError\('{key}'\), expected what to_json wrote"):
        AdaptiveThreshold.from_json(state)
