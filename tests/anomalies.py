"""Records of topic `anomalies` that tests of several parts need."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from faultline.anomalies import ServiceAnomaly

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def make_service_anomaly(**changes: Any) -> ServiceAnomaly:
    """Return what is said of `orders`, abnormal by its numbers, with some fields changed."""
    fields: dict[str, Any] = {
        "detectors": ["structured"],
        "deviations": [],
        "event_id": "s1",
        "explanation": "orders: lines in 5s 0 instead of 25",
        "lines": [],
        "model_version": "v",
        "p_value": 0.02,
        "semantic_p_value": 1.0,
        "service_name": "orders",
        "since": MOMENT,
        "structured_p_value": 0.01,
        "structured_score": 9.0,
        "window_end": MOMENT,
        "window_start": MOMENT,
    }
    return ServiceAnomaly(**{**fields, **changes})
