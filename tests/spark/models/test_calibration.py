"""Windows of held-out time: what an alert would have seen of it, with any clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from faultline.alerting import ALERT_LINES
from faultline.errors import TrainingDataError
from spark.models.buckets import BUCKET_SECONDS
from spark.models.calibration import (
    BUCKETS_A_WINDOW,
    MAX_SILENCE,
    POOLED,
    WINDOWS_PER_DAY,
    ScoredLine,
    calibrate,
    window_statistics,
)

START = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


def line(
    score: float, lines: int = 1, *, at: int = 0, service: str = "orders", kind: str = "nginx_error"
) -> ScoredLine:
    return ScoredLine(kind, service, START + timedelta(seconds=at * BUCKET_SECONDS), score, lines)


def test_a_window_is_whole_buckets() -> None:
    assert BUCKETS_A_WINDOW * BUCKET_SECONDS == 15


def test_the_statistic_is_the_score_that_makes_an_alert() -> None:
    assert window_statistics([line(0.9), line(0.8), line(0.7), line(0.6)]) == [pytest.approx(0.7)]
    assert window_statistics([line(0.9, ALERT_LINES - 1), line(0.1, 5)]) == [0.1]
    assert window_statistics([line(0.9, ALERT_LINES)]) == [0.9]


def test_a_lonely_line_is_no_alert() -> None:
    assert window_statistics([line(0.9, ALERT_LINES - 1)]) == [0.0]


def test_windows_overlap_and_begin_with_every_bucket() -> None:
    statistics = window_statistics([line(0.0, 1, at=0), line(0.9, ALERT_LINES, at=3), line(0.0, 1, at=5)])
    assert statistics == [0.0, 0.9, 0.9, 0.9, 0.0, 0.0]


def test_services_have_windows_of_their_own() -> None:
    lines = [line(0.9, ALERT_LINES - 1, service=name) for name in ("orders", "payments")]
    assert window_statistics(lines) == [0.0, 0.0]


def test_nothing_held_out_has_no_windows_and_no_threshold() -> None:
    assert window_statistics([]) == []
    with pytest.raises(TrainingDataError, match="nothing held out to calibrate on"):
        calibrate([], 1.0)


@pytest.mark.parametrize("years", [-26, 73])
def test_a_clock_that_is_decades_off_adds_an_hour_of_windows(years: int) -> None:
    lines = [line(0.0, at=i) for i in range(10)]
    far = ScoredLine("nginx_error", "orders", START.replace(year=START.year + years), 0.5, 1)
    hour = MAX_SILENCE // timedelta(seconds=BUCKET_SECONDS)
    assert len(window_statistics(lines)) == 10
    assert len(window_statistics([*lines, far])) == 10 + hour


def test_each_source_type_has_its_threshold_and_an_equal_share_of_the_budget() -> None:
    lines = [line(0.2, 5, at=i) for i in range(20)] + [line(0.7, 5, at=i, kind="nginx_access") for i in range(20)]
    thresholds = calibrate(lines, 2.0)
    assert sorted(thresholds) == [POOLED, "nginx_access", "nginx_error"]
    assert {threshold.alpha for threshold in thresholds.values()} == {1.0 / WINDOWS_PER_DAY}
    assert {kind: threshold.scores.tolist() for kind, threshold in thresholds.items()} == {
        POOLED: pytest.approx([0.7]),
        "nginx_access": pytest.approx([0.7]),
        "nginx_error": pytest.approx([0.2]),
    }
