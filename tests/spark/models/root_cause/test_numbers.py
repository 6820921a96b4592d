"""Ranges of series, and what leaves them."""

from __future__ import annotations

import json
from math import inf, nan

import pytest

from faultline.errors import ArtifactError
from spark.models.root_cause.numbers import LEAST_WIDTH, MIN_SAMPLES, NumberDeviation, NumberProfile, Series

CPU, MEMORY = Series("orders", "cpu"), Series("orders", "memory")
USUAL = [float(value) for value in range(10, 21)]


def deviations(values: list[float], usual: list[float] = USUAL) -> list[NumberDeviation]:
    return list(NumberProfile.fit({CPU: usual}, 0.1).deviations({CPU: values}))


def test_value_within_the_range_is_silent() -> None:
    assert deviations([11.0, 19.0]) == []


@pytest.mark.parametrize(("values", "widths"), [([27.0, 27.0], 1.0), ([3.0, 3.0], 1.0), ([27.0], 1.0)])
def test_distance_is_told_in_widths_of_the_range(values: list[float], widths: float) -> None:
    assert [found.widths for found in deviations(values)] == [pytest.approx(widths)]


def test_one_hiccup_among_samples_is_silent() -> None:
    assert deviations([15.0, 1000.0, 15.0]) == []


def test_few_faulty_samples_of_the_background_do_not_widen_the_range() -> None:
    assert deviations([500.0], [*USUAL * 3, 500.0, 500.0])[0].widths > 10


def test_series_that_never_moved_may_move_a_little() -> None:
    assert deviations([100.0 + 100.0 * LEAST_WIDTH / 3], [100.0] * 20) == []
    assert deviations([200.0], [100.0] * 20)[0].widths == pytest.approx(19.5)
    assert deviations([1.0], [0.0] * 20)[0].widths > 1000


def test_values_that_are_no_numbers_count_as_missing() -> None:
    assert deviations([nan, inf, 15.0], [*USUAL, nan, inf]) == []
    assert deviations([nan]) == []


def test_series_with_little_background_or_none_is_left_out() -> None:
    profile = NumberProfile.fit({CPU: USUAL[: MIN_SAMPLES - 1]}, 0.1)
    assert list(profile.deviations({CPU: [1e9], MEMORY: [1e9]})) == []


def test_saved_profile_judges_alike() -> None:
    profile = NumberProfile.fit({CPU: USUAL, MEMORY: [1.0] * 9}, 0.1)
    again = NumberProfile.from_json(json.loads(json.dumps(profile.to_json())))
    assert list(again.deviations({CPU: [99.0]})) == list(profile.deviations({CPU: [99.0]}))


def test_state_of_something_else_is_refused() -> None:
    with pytest.raises(ArtifactError, match=r"number profile: .*train again"):
        NumberProfile.from_json([["orders", "cpu", "low", 1]])
