"""What detectors find, in the common form."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from faultline.anomalies import Anomaly, Deviation, ServiceAnomaly, SessionAnomaly
from faultline.records import Severity, SourceType
from spark.models.root_cause.flow import END, FlowDeviation, Step
from spark.models.root_cause.numbers import NumberDeviation, Series
from spark.models.root_cause.symptoms import (
    MOST_SURPRISE,
    SymptomKind,
    flow_symptom,
    kind_of_series,
    number_symptom,
    symptoms_of,
)
from tests.spark.models.root_cause.pieces import START


def abnormal_line(p_value: float = 1e-4) -> Anomaly:
    return Anomaly(
        attributes={},
        body="card rejected",
        detector="semantic",
        event_id="e1",
        host_name="h",
        known_template=False,
        model_version="m",
        nearest_distance=0.7,
        nearest_template="card accepted",
        observed_timestamp=START,
        p_value=p_value,
        score=0.7,
        service_name="payments",
        severity=Severity.ERROR,
        source_type=SourceType.APP_CONTAINER_LOG,
        template="card rejected",
        template_id="t1",
        timestamp=START,
        trace_id="",
    )


def abnormal_service(*deviations: Deviation) -> ServiceAnomaly:
    return ServiceAnomaly(
        detectors=["structured"],
        deviations=list(deviations),
        event_id="s1",
        explanation="",
        lines=[],
        model_version="m",
        p_value=1e-6,
        semantic_p_value=1.0,
        service_name="orders",
        since=START,
        structured_p_value=1e-6,
        structured_score=9.0,
        window_end=START + timedelta(seconds=15),
        window_start=START,
    )


def moved(feature: str, value: float, usual: float, deviation: float) -> Deviation:
    return Deviation(deviation=deviation, feature=feature, usual=usual, value=value)


def test_line_keeps_its_text_time_and_id() -> None:
    (found,) = symptoms_of(abnormal_line())
    assert (found.service_name, found.kind, found.since, found.text) == (
        "payments",
        SymptomKind.SAID,
        START,
        "card rejected",
    )
    assert found.surprise == pytest.approx(-math.log(1e-4))
    assert found.line is not None
    assert (found.line.event_id, found.line.nearest_template) == ("e1", "card accepted")


@pytest.mark.parametrize("p_value", [0.0, 1e-320])
def test_surprise_is_bounded(p_value: float) -> None:
    (found,) = symptoms_of(abnormal_line(p_value))
    assert 600 < found.surprise <= MOST_SURPRISE
    (found,) = symptoms_of(abnormal_service(moved("lines/5s", 9e9, 1.0, 1e9)))
    assert found.surprise == MOST_SURPRISE


def test_every_number_that_moved_is_a_symptom_of_its_kind() -> None:
    anomaly = abnormal_service(
        moved("p95:duration_seconds", 2.0, 0.1, 8.0),
        moved("rate:process_cpu_seconds_total", 0.9, 0.1, 6.0),
        moved("level:ERROR/15s", 30.0, 0.0, 9.0),
        moved("lines/5s", 0.0, 40.0, -7.0),
        moved("lines/15s", 3.0, 40.0, -7.0),
        moved("silence:app_container_log", 9.0, 0.2, 5.0),
    )
    found = list(symptoms_of(anomaly))
    assert [symptom.kind for symptom in found] == ["time", "resource", "errors", "silence", "volume", "silence"]
    assert {symptom.since for symptom in found} == {START + timedelta(seconds=15)}
    assert found[0].surprise == 32.0
    assert found[0].text == "95th percentile of duration_seconds 2 instead of 0.1"


def test_session_is_a_flow_of_the_service_whose_lines_moved() -> None:
    session = SessionAnomaly(
        detector="sessions",
        event_id="x",
        explanation="orders: a step is missing",
        first=START,
        last=START,
        model_version="m",
        moved=[],
        p_value=1e-3,
        score=1.0,
        service_name="orders",
        services=["orders", "payments"],
        session_key="k",
    )
    (found,) = symptoms_of(session)
    assert (found.kind, found.service_name, found.text) == (SymptomKind.FLOW, "orders", "orders: a step is missing")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("CpuUsageRate(%)", "resource"),
        ("PodServerLatencyP95(s)", "time"),
        ("PodSuccessRate(%)", "errors"),
        ("PodWorkload(Ops)", "volume"),
        ("status:5xx/15s", "errors"),
        ("gauge:process_resident_memory_bytes", "resource"),
        ("duration of GET /orders", "time"),
    ],
)
def test_series_are_sorted_by_what_they_measure(name: str, kind: str) -> None:
    assert kind_of_series(name) == kind


def test_flow_says_what_followed_what_and_how_often() -> None:
    deviation = FlowDeviation(Step("orders", "^POST /orders", "t1"), 12.0, 1, 20, 0.95)
    found = flow_symptom(deviation, {"t1": "order <NUM> placed"})
    assert found.text == (
        'the start of POST /orders is followed by "order <NUM> placed" in 1 of 20 requests instead of 95%'
    )
    assert (found.kind, found.surprise, found.since) == (SymptomKind.FLOW, 12.0, None)
    ended = flow_symptom(FlowDeviation(Step("orders", "t1", END), 12.0, 19, 20, 0.1), {})
    assert ended.text == '"t1" is followed by the end of the request in 19 of 20 requests instead of 10%'


def test_number_says_what_is_usual() -> None:
    found = number_symptom(NumberDeviation(Series("orders", "CpuUsageRate(%)"), 90.0, 2.0, 12.0))
    assert found.text == "CpuUsageRate(%) 90, usually 2 to 12"
    assert found.surprise == pytest.approx(7.8**2 / 2)
