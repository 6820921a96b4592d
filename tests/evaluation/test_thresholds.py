"""The budget's threshold."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest

from evaluation.thresholds import fit_threshold, shuffled_rate


def test_a_budget_is_a_rate_per_ten_thousand():
    threshold = fit_threshold(np.arange(9999, dtype=np.float32), 20.0)
    assert threshold.level == pytest.approx(0.002)
    assert threshold.is_anomaly(np.array([9978, 9980], np.float32)).tolist() == [False, True]


def test_units_that_do_not_drift_keep_the_budget():
    held_out = np.random.default_rng(1).random(2000).astype(np.float32)
    assert shuffled_rate(held_out, 100.0, seed=1) == pytest.approx(0.01, abs=0.002)


def test_one_unit_tells_nothing():
    assert isnan(shuffled_rate(np.zeros(1, np.float32), 20.0, seed=1))
