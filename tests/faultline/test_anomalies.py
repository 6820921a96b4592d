"""Records of topic `anomalies`: one wire form, each kind read back as what it was."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from faultline.anomalies import (
    Anomaly,
    Deviation,
    EvidenceLine,
    SessionAnomaly,
    TemplateCount,
    read_anomaly,
)
from faultline.errors import DecodeError
from faultline.records import Severity, SourceType
from tests.anomalies import make_service_anomaly


def make_anomaly(**changes: Any) -> Anomaly:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    fields: dict[str, Any] = {
        "attributes": {"http.route": "/cart"},
        "body": "payments failed",
        "detector": "semantic",
        "event_id": "e1",
        "host_name": "localhost",
        "known_template": False,
        "model_version": "0123456789ab",
        "nearest_distance": 0.25,
        "nearest_template": "INFO order placed",
        "observed_timestamp": moment,
        "p_value": 0.001,
        "score": 0.5,
        "service_name": "orders",
        "severity": Severity.ERROR,
        "source_type": SourceType.APP_CONTAINER_LOG,
        "template": "ERROR payments failed",
        "template_id": "ba9876543210",
        "timestamp": moment,
        "trace_id": "",
    }
    return Anomaly(**{**fields, **changes})


def test_anomaly_round_trip_with_sorted_keys_and_six_digits() -> None:
    anomaly = make_anomaly()
    fields = json.loads(anomaly.to_bytes())
    assert Anomaly.from_bytes(anomaly.to_bytes()) == anomaly
    assert list(fields) == sorted(fields)
    assert fields["timestamp"] == "2026-01-02T03:04:05.000000Z"


def test_a_session_is_read_back_as_one() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    session = SessionAnomaly(
        detector="session",
        event_id="s1",
        explanation="session 7f: ...",
        first=moment,
        last=moment,
        model_version="0123456789ab",
        moved=[TemplateCount(count=0, deviation=-9.5, template="INFO charged", usual=1)],
        p_value=0.01,
        score=9.5,
        service_name="payments",
        services=["orders"],
        session_key="7f",
    )
    assert read_anomaly(session.to_bytes()) == session
    assert json.loads(session.to_bytes())["kind"] == "session"


@pytest.mark.parametrize("value", [b"", b"{}", b"\xff", b'{"a":' * 100_000, make_anomaly().to_bytes()[:-2]])
def test_what_is_no_anomaly_is_refused(value: bytes) -> None:
    with pytest.raises(DecodeError, match=r"^not_json: "):
        Anomaly.from_bytes(value)


def test_a_service_anomaly_comes_back_with_its_lines_and_deviations() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    line = EvidenceLine(
        body="no stock",
        event_id="e1",
        nearest_distance=0.5,
        nearest_template="INFO stock",
        p_value=0.01,
        source_type=SourceType.APP_CONTAINER_LOG,
        template="ERROR no stock",
        timestamp=moment,
    )
    service = make_service_anomaly(
        detectors=["semantic", "structured"],
        deviations=[Deviation(deviation=9.0, feature="lines/5s", usual=25.0, value=0.0)],
        lines=[line],
    )
    fields = json.loads(service.to_bytes())
    assert read_anomaly(service.to_bytes()) == service
    assert (fields["kind"], fields["since"]) == ("service", "2026-01-02T03:04:05.000000Z")
    assert fields["lines"][0]["timestamp"] == "2026-01-02T03:04:05.000000Z"


def test_a_line_is_read_back_as_a_line_and_another_kind_is_refused() -> None:
    assert read_anomaly(make_anomaly().to_bytes()) == make_anomaly()
    with pytest.raises(DecodeError, match="Invalid value 'other'"):
        read_anomaly(b'{"kind": "other"}')
