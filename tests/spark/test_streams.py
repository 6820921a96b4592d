"""The steps of the stream on plain tables, and their counts on the way through a real query."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.listener import StreamingQueryListener

from faultline.anomalies import Anomaly
from faultline.config import StreamConfig, Topics, TrainConfig
from faultline.kafka_io import make_producer
from faultline.metrics import StreamMetrics
from faultline.records import Event, Severity
from spark import streams
from spark.models import scoring
from spark.models.counting import COUNT_SCHEMA, facts_of
from spark.models.fleet import Payload
from spark.models.structured import StructuredModel
from spark.progress import MetricsListener

pytestmark = [
    pytest.mark.integration,
    # PySpark leaves the socket of each collect() to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

MakeEvent = Callable[..., Event]
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
TOPICS = Topics("logs", "letters", "found")


def raw_table(spark: SparkSession, *values: bytes | None) -> DataFrame:
    rows = [(value, "logs", number % 2, 100 + number) for number, value in enumerate(values)]
    return spark.createDataFrame(rows, "value binary, topic string, partition int, offset bigint")


def values(event: MakeEvent) -> list[bytes | None]:
    """Return ordinary, abnormal and bad records."""
    abnormal = event(body="payments failed: connection refused", severity=Severity.ERROR, event_id="e9")
    return [event().to_bytes(), b"\xff\x00", abnormal.to_bytes(), None, event(service_name="nginx").to_bytes()]


def test_every_record_comes_out_once(spark: SparkSession, model_folder: Path, event: MakeEvent) -> None:
    many = values(event) * 100  # several Arrow batches
    outcomes = streams.score_events(raw_table(spark, *many), model_folder)
    rows = outcomes.select("offset", "reason", "is_anomaly").collect()
    assert sorted(row.offset for row in rows) == list(range(100, 100 + len(many)))
    assert sum(row.reason == "not_json" for row in rows) == 200
    assert sum(bool(row.is_anomaly) for row in rows) == 100


def test_outcomes_have_the_declared_columns(spark: SparkSession, model_folder: Path) -> None:
    outcomes = streams.observe_outcomes(streams.score_events(raw_table(spark), model_folder))
    assert outcomes.columns == scoring.OUTCOME_SCHEMA.names
    assert outcomes.collect() == []


def test_anomalies_and_dead_letters_are_addressed(spark: SparkSession, model_folder: Path, event: MakeEvent) -> None:
    outcomes = streams.score_events(raw_table(spark, *values(event)), model_folder)
    records = streams.to_kafka_records(outcomes, TOPICS)
    assert records.columns == ["topic", "key", "value", "headers"]
    rows = {(row.topic, row.key and bytes(row.key)): row for row in records.collect()}
    assert sorted(rows, key=str) == [("found", b"e9"), ("letters", None)]
    anomaly = rows["found", b"e9"]
    assert Anomaly.from_bytes(bytes(anomaly.value)).body == "payments failed: connection refused"
    assert headers(anomaly) == {"event_id": "e9"}


def test_a_dead_letter_has_the_original_bytes_and_its_place(spark: SparkSession, model_folder: Path) -> None:
    outcomes = streams.score_events(raw_table(spark, b"\xff\x00", None), model_folder)
    first, second = sorted(
        streams.to_kafka_records(outcomes, TOPICS).collect(), key=lambda row: row.value, reverse=True
    )
    assert (bytes(first.value), bytes(second.value)) == (b"\xff\x00", b"")
    detail = "JSON is malformed: invalid character (byte 0)"
    assert headers(first) == {
        "reason": "not_json",
        "detail": detail,
        "topic": "logs",
        "partition": "0",
        "offset": "100",
    }
    assert headers(second)["detail"] == "the record has no value"


def headers(row: Any) -> dict[str, str]:
    return {header.key: bytes(header.value).decode() for header in row.headers}


def test_counted_lines_sum_to_the_records(spark: SparkSession, event: MakeEvent) -> None:
    counts = streams.count_masked_lines(raw_table(spark, *values(event) * 100))
    assert sorted(counts.columns) == sorted(COUNT_SCHEMA.names)
    rows = counts.collect()
    assert sum(row.lines for row in rows) == 500
    assert len(rows) == 4  # the rejected, the abnormal, and the ordinary line of two services


def test_facts_counted_by_spark_are_those_of_the_stream(
    spark: SparkSession, model_folder: Path, event: MakeEvent
) -> None:
    """Training counts over partitions and Arrow batches, the stream in its first stage: the facts are the same."""
    moments = [NOON + timedelta(seconds=number % 7) for number in range(60)]
    events = [
        event(
            timestamp=moment,
            observed_timestamp=moment,
            service_name=("orders", "payments")[number % 2],
            severity=Severity.ERROR if number % 5 == 0 else Severity.INFO,
            measures={"duration_ms": 3.0 * number},
        )
        for number, moment in enumerate(moments)
    ]
    columns = "value binary, topic string, partition int, offset bigint, timestamp timestamp"
    rows = [(made.to_bytes(), "logs", 0, 0, made.timestamp) for made in events]
    raw = spark.createDataFrame(rows, columns).repartition(3)
    counted = set(facts_of(streams.count_facts(raw, model_folder).toArrow()))
    model, structured = scoring.load_model(str(model_folder)), StructuredModel({}, {}, {}, KnownTemplates())
    batch = raw.withColumn("partition", F.lit(0)).toArrow().combine_chunks().to_batches()[0]
    outcome = scoring.score_batch(model, batch, structured).to_pylist()
    (facts,) = (row["record"] for row in outcome if row["kind"] == "facts")
    assert counted == set(msgspec.msgpack.decode(facts, type=Payload).facts)


class KnownTemplates(dict[str, str]):
    """Templates of a structured model that uses every one."""

    def __contains__(self, key: object) -> bool:
        return True


def until(found: Callable[[], Any], expected: Any, seconds: float = 60.0) -> None:
    """Poll until a value is the expected one; show the last value when it does not come to it."""
    end = time.monotonic() + seconds
    while (last := found()) != expected and time.monotonic() < end:
        time.sleep(0.05)
    assert last == expected


@pytest.fixture
def registry(spark: SparkSession) -> Any:
    """A registry that a listener fills while the test runs."""
    registry = CollectorRegistry()
    listener: StreamingQueryListener = MetricsListener(StreamMetrics(registry), clock=lambda: 1_767_355_210.0)
    spark.streams.addListener(listener)
    yield registry
    spark.streams.removeListener(listener)


@pytest.fixture
def stream_config(kafka_bootstrap: str, topics: Callable[..., str], tmp_path: Path, model_folder: Path) -> StreamConfig:
    """A stream over topics of its own that ends when it has read what is there."""
    return StreamConfig.from_env(
        {
            "FAULTLINE_KAFKA": kafka_bootstrap,
            "FAULTLINE_TOPIC_LOGS": topics("logs", partitions=2),
            "FAULTLINE_TOPIC_DEAD_LETTER": topics("letters"),
            "FAULTLINE_TOPIC_ANOMALIES": topics("anomalies"),
            "FAULTLINE_CHECKPOINT": str(tmp_path / "checkpoint"),
            "FAULTLINE_MODEL": str(model_folder),
            "FAULTLINE_MAX_OFFSETS_PER_TRIGGER": "20",
            "FAULTLINE_ONCE": "1",
        }
    )


def send(config: StreamConfig, records: list[bytes | None]) -> None:
    producer = make_producer(config.bootstrap, "test")
    for number, value in enumerate(records):
        producer.produce(config.topics.logs, value, partition=number % 2)
    assert producer.flush(30) == 0


def test_counts_reach_the_registry_whatever_the_time_zone(
    spark: SparkSession, stream_config: StreamConfig, registry: CollectorRegistry, event: MakeEvent
) -> None:
    send(stream_config, values(event) * 10)
    outcomes = streams.observe_outcomes(
        streams.score_events(streams.read_logs(spark, stream_config), stream_config.model)
    )
    joined = streams.observe_joined(streams.join_services(outcomes, stream_config.model.parent))
    query = streams.write_records(streams.to_kafka_records(joined, stream_config.topics), stream_config)
    assert query.awaitTermination(120)
    until(lambda: registry.get_sample_value("faultline_events_read_total"), 50.0)
    scored = {"source_type": "app_container_log", "detector": "semantic"}
    assert registry.get_sample_value("faultline_events_scored_total", scored) == 30
    assert registry.get_sample_value("faultline_events_dead_lettered_total", {"reason": "not_json"}) == 20
    assert registry.get_sample_value("faultline_unknown_template_events_total") == 10
    orders = {"service_name": "orders", "detector": "semantic"}
    assert registry.get_sample_value("faultline_anomalies_total", orders) == 10
    assert (registry.get_sample_value("faultline_batches_total") or 0) >= 3
    assert registry.get_sample_value("faultline_consumer_lag_records", {"partition": "0"}) in (0, None)
    noon = datetime(2026, 1, 2, 12, 0, tzinfo=UTC).timestamp()
    assert registry.get_sample_value("faultline_event_delay_seconds") == 1_767_355_210.0 - noon


def test_what_the_topic_holds_is_read_once(spark: SparkSession, stream_config: StreamConfig, event: MakeEvent) -> None:
    send(stream_config, values(event))
    environ = {"FAULTLINE_KAFKA": stream_config.bootstrap, "FAULTLINE_TOPIC_LOGS": stream_config.topics.logs}
    assert streams.read_logs_now(spark, TrainConfig.from_env(environ)).count() == 5
    later = TrainConfig.from_env({**environ, "FAULTLINE_TRAIN_SINCE": "2199-01-01T00:00:00Z"})
    assert streams.read_logs_now(spark, later).count() == 0
    earlier = TrainConfig.from_env({**environ, "FAULTLINE_TRAIN_SINCE": "2020-01-01T00:00:00Z"})
    assert streams.read_logs_now(spark, earlier).count() == 5
