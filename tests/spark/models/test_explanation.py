"""What is said of an abnormal service, in words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from faultline.anomalies import Deviation, EvidenceLine
from faultline.records import SourceType
from spark.models.explanation import QUOTED_CHARS, explain


def moved(feature: str, value: float = 0.0, usual: float = 25.0) -> Deviation:
    return Deviation(deviation=-9.0, feature=feature, usual=usual, value=value)


def line(body: str) -> EvidenceLine:
    return EvidenceLine(
        body=body,
        event_id="e1",
        nearest_distance=0.5,
        nearest_template="INFO paid <NUM>",
        p_value=0.01,
        source_type=SourceType.APP_CONTAINER_LOG,
        template="ERROR down",
        timestamp=datetime(2026, 1, 2, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("feature", "said"),
    [
        ("lines/5s", "lines in 5s 0 instead of 25"),
        ("level:ERROR/15s", "level:ERROR in 15s 0 instead of 25"),
        ("silence:app_container_log", "seconds since the last line of app_container_log 0 instead of 25"),
        ("p95:duration_ms", "95th percentile of duration_ms 0 instead of 25"),
        ("change:rss_bytes", "change of rss_bytes 0 instead of 25"),
        ("rate:requests_total", "requests_total per second 0 instead of 25"),
        ('lines "GET /cart <NUM>" in 15s', 'lines "GET /cart <NUM>" in 15s 0 instead of 25'),
    ],
)
def test_each_feature_is_said_in_words(feature: str, said: str) -> None:
    assert explain("orders", [], [moved(feature)]) == f"orders: {said}"


def test_the_first_line_is_quoted_before_what_moved_and_cut() -> None:
    text = explain("orders", [line("x" * 5000), line("second")], [moved("lines/5s")] * 9)
    assert text.startswith(f'orders: says "{"x" * QUOTED_CHARS}", nearest normal line: "INFO paid <NUM>"; lines in 5s')
    assert "second" not in text
    assert text.count("lines in 5s") == 3
