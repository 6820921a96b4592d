"""What is normal follows slow change, not anomalies, and no service stays abnormal for ever."""

from __future__ import annotations

import numpy as np
import pytest

from spark.models.drift import RECOVERY_SECONDS, Drift

LIMIT = 6.0


def run(drift: Drift, deviations: np.ndarray) -> list[bool]:
    """Feed seconds in as the stream does; return which were abnormal."""
    abnormal = []
    for row in deviations:
        abnormal.append(bool(np.abs(drift.correct(row)).max() > LIMIT))
        drift.update(row, abnormal=abnormal[-1])
    return abnormal


def noise(seconds: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(seconds, 3))


def test_no_drift_changes_nothing():
    np.testing.assert_array_equal(Drift.none(3).correct(np.array([1.0, -2.0, 0.0])), [1.0, -2.0, 0.0])


def test_slow_change_is_followed():
    hours = 8 * 3600
    ramp = np.linspace(0, 8, hours)[:, np.newaxis]
    assert np.abs(noise(hours) + ramp)[-3600:].max() > 2 * LIMIT - 1
    assert sum(run(Drift.none(3), noise(hours) + ramp)) <= 3


def test_an_incident_is_not_learned():
    drift = Drift.none(3)
    run(drift, noise(3600))
    assert all(run(drift, noise(600, 1) + 20.0))
    assert np.abs(drift.shift).max() < 0.5
    assert not any(run(drift, noise(600, 2)))


def test_a_lasting_change_becomes_normal_within_the_recovery_time():
    drift = Drift.none(3)
    run(drift, noise(3600))
    abnormal = run(drift, noise(2 * int(RECOVERY_SECONDS), 1) + 20.0)
    assert sum(abnormal) == pytest.approx(RECOVERY_SECONDS, rel=0.02)
    assert not any(abnormal[int(1.1 * RECOVERY_SECONDS) :])


def test_after_a_recovery_the_old_state_is_abnormal_again_once_forgotten():
    drift = Drift.none(3)
    run(drift, noise(12 * 3600) + 20.0)
    assert any(run(drift, noise(60)))


def test_a_value_that_jumps_to_and_fro_is_accepted_too():
    drift = Drift.none(3)
    jumps = np.where(np.arange(3 * int(RECOVERY_SECONDS)) % 2, 20.0, -20.0)[:, np.newaxis] + np.zeros((1, 3))
    assert not any(run(drift, jumps)[-3600:])


def test_update_says_when_a_change_was_accepted():
    drift = Drift.none(1)
    told = [drift.update(np.array([30.0]), abnormal=True) for _ in range(int(RECOVERY_SECONDS) + 60)]
    assert sum(told) == 1
