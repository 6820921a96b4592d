"""Counts of a micro-batch become metrics; every test has a registry of its own."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry
from pyspark.sql.streaming.listener import QueryProgressEvent, StreamingQueryProgress

from faultline.metrics import MAX_SERVICES, StreamMetrics
from spark.progress import MetricsListener
from spark.streams import JOINED, OUTCOMES


class Scene:
    """A listener with a clock that stands at 1000 s, and the registry it fills."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.listener = MetricsListener(StreamMetrics(self.registry), clock=lambda: 1000.0)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"faultline_{name}", labels)

    def total(self, name: str) -> float:
        samples = [sample for family in self.registry.collect() for sample in family.samples]
        return sum(sample.value for sample in samples if sample.name == f"faultline_{name}")


@pytest.fixture
def scene() -> Scene:
    return Scene()


def totals(**changes: Any) -> dict[str, Any]:
    empty = {"read": 0, "scored": 0, "unknown": 0, "oldest_micros": None, "reasons": []}
    return {**empty, "scored:nginx_access": 0, **changes}


def joined(*anomalies: tuple[str, float], **changes: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(("late", "left_out", "recoveries", "accepted", "services"))
    found = [{"service_name": name, "score": score, "detector": "semantic"} for name, score in anomalies]
    return {**nothing, "anomalies": found, **changes}


def progress(**changes: Any) -> QueryProgressEvent:
    source = {"description": "", "startOffset": None, "endOffset": None, "latestOffset": None, "numInputRows": 0}
    rates = {"inputRowsPerSecond": 0.0, "processedRowsPerSecond": 0.0}
    fields: dict[str, Any] = {
        "id": str(uuid4()),
        "runId": str(uuid4()),
        "name": "semantic_inference",
        "timestamp": "2026-01-02T03:04:05.000Z",
        "batchId": 1,
        "batchDuration": 250,
        "durationMs": {"triggerExecution": 250},
        "stateOperators": [],
        "sources": [{**source, **rates, **changes.pop("source", {})}],
        "sink": {"description": "", "numOutputRows": 0},
    }
    return QueryProgressEvent(StreamingQueryProgress.fromJson({**fields, **changes}))


def test_read_is_scored_plus_dead_lettered(scene: Scene) -> None:
    scene.listener.count(
        totals(
            read=10, scored=7, unknown=2, reasons=["not_json", "not_json", "bad_value"], **{"scored:nginx_access": 7}
        )
    )
    assert scene.value("events_read_total") == 10
    assert scene.value("events_scored_total", source_type="nginx_access", detector="semantic") == 7
    assert scene.value("events_dead_lettered_total", reason="not_json") == 2
    assert scene.value("unknown_template_events_total") == 2
    assert scene.total("events_scored_total") + scene.total("events_dead_lettered_total") == 10


def test_source_types_without_lines_have_no_series(scene: Scene) -> None:
    scene.listener.count(totals(read=1, scored=1, **{"scored:nginx_error": 1}))
    assert scene.value("events_scored_total", source_type="nginx_access", detector="semantic") is None


def test_batches_add_up(scene: Scene) -> None:
    for _ in range(3):
        scene.listener.count(totals(read=2, reasons=["not_json"] * 2))
    assert scene.value("events_dead_lettered_total", reason="not_json") == 6


def test_anomalies_are_counted_by_service_and_the_highest_score_is_shown(scene: Scene) -> None:
    scene.listener.count_joined(joined(("orders", 0.5), ("orders", 0.9), ("nginx", 0.2)))
    scene.listener.count_joined(joined(("orders", 0.3)))
    assert scene.value("anomalies_total", service_name="orders", detector="semantic") == 3
    assert scene.value("anomaly_score_max", service_name="orders", detector="semantic") == pytest.approx(0.3)
    assert scene.value("anomaly_score_max", service_name="nginx", detector="semantic") == pytest.approx(0.2)


def test_detectors_are_counted_apart(scene: Scene) -> None:
    second = {"service_name": "orders", "score": 9.0, "detector": "structured"}
    scene.listener.count_joined(joined(anomalies=[second, {**second, "detector": "semantic", "score": 0.5}, second]))
    assert scene.value("anomalies_total", service_name="orders", detector="structured") == 2
    assert scene.value("anomalies_total", service_name="orders", detector="semantic") == 1
    assert scene.value("anomaly_score_max", service_name="orders", detector="structured") == 9.0


def test_what_the_state_counts_is_shown_and_kept_when_a_batch_says_nothing(scene: Scene) -> None:
    scene.listener.count_joined(joined(late=3, left_out=2, recoveries=1, accepted=7, services=5))
    scene.listener.count_joined(joined())
    names = ("late_events", "left_out_events", "recoveries", "accepted_lines", "services")
    assert [scene.value(name) for name in names] == [3, 2, 1, 7, 5]


def test_services_beyond_the_limit_are_counted_together(scene: Scene) -> None:
    scene.listener.count_joined(joined(*((f"service-{i}", 0.5) for i in range(MAX_SERVICES + 5))))
    assert scene.value("anomalies_total", service_name="other", detector="semantic") == 5
    assert scene.total("anomalies_total") == MAX_SERVICES + 5


def test_delay_is_that_of_the_oldest_line_and_never_negative(scene: Scene) -> None:
    scene.listener.count(totals(read=1, oldest_micros=998_500_000))
    assert scene.value("event_delay_seconds") == 1.5
    scene.listener.count(totals(read=1, oldest_micros=5_000_000_000))
    assert scene.value("event_delay_seconds") == 0.0


def test_a_batch_of_nothing_but_dead_letters_leaves_the_delay_alone(scene: Scene) -> None:
    scene.listener.count(totals(read=1, oldest_micros=999_000_000))
    scene.listener.count(totals(read=1, reasons=["not_json"]))
    assert scene.value("event_delay_seconds") == 1.0


def test_the_model_and_a_zero_for_its_services_are_announced(scene: Scene) -> None:
    scene.listener.announce({"version": "abc", "trained_at": "1970-01-01T00:10:00+00:00", "services": ["orders"]})
    assert scene.value("model_info", detector="semantic", version="abc") == 1
    assert scene.value("model_trained_timestamp_seconds") == 600
    for detector in ("semantic", "structured"):
        assert scene.value("anomalies_total", service_name="orders", detector=detector) == 0


def test_progress_counts_a_batch_and_what_was_observed(scene: Scene) -> None:
    observed = {OUTCOMES: totals(read=2, reasons=["not_json"] * 2), JOINED: joined(("orders", 0.5), services=4)}
    scene.listener.onQueryProgress(progress(observedMetrics=observed))
    assert (scene.value("batches_total"), scene.value("batch_duration_seconds")) == (1, 0.25)
    assert scene.value("events_read_total") == 2
    assert scene.value("services") == 4
    assert scene.value("anomalies_total", service_name="orders", detector="semantic") == 1


@pytest.mark.parametrize("observed", [{}, {OUTCOMES: {"read": 0}}])
def test_a_batch_without_records_counts_no_records(scene: Scene, observed: dict[str, Any]) -> None:
    scene.listener.onQueryProgress(progress(observedMetrics=observed))
    assert (scene.value("batches_total"), scene.value("events_read_total")) == (1, 0)


def test_lag_is_latest_less_read_per_partition(scene: Scene) -> None:
    offsets = {
        "endOffset": json.dumps({"logs": {"0": 5, "1": 9}}),
        "latestOffset": json.dumps({"logs": {"0": 7, "1": 9}}),
    }
    scene.listener.onQueryProgress(progress(source=offsets))
    assert (scene.value("consumer_lag_records", partition="0"), scene.value("consumer_lag_records", partition="1")) == (
        2,
        0,
    )


@pytest.mark.parametrize("unknown", [None, "", "None"])
def test_a_source_without_offsets_has_no_lag_and_is_counted(scene: Scene, unknown: str | None) -> None:
    observed = {OUTCOMES: totals(read=1, reasons=["not_json"])}
    known = json.dumps({"logs": {"0": 5}})
    for source in ({"endOffset": unknown, "latestOffset": known}, {"endOffset": known, "latestOffset": unknown}):
        scene.listener.onQueryProgress(progress(source=source, observedMetrics=observed))
    assert (scene.total("consumer_lag_records"), scene.value("events_read_total")) == (0, 2)
