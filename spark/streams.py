"""Steps of the stream, DataFrame in, DataFrame out; only `read_*` and `write_*` touch the outside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.streaming.query import StreamingQuery

from faultline.config import StreamConfig, Topics, TrainConfig
from faultline.records import SourceType
from spark.models import counting, scoring

RAW_COLUMNS = ("value", "topic", "partition", "offset")
OUTCOMES = "outcomes"  # name under which progress.py finds the counts


def read_logs(spark: SparkSession, config: StreamConfig) -> DataFrame:
    """Follow topic `logs`; stops with an error when the broker has dropped records not read yet."""
    reader = spark.readStream.format("kafka").options(**_source_options(config.bootstrap, config.topics.logs))
    limited = reader.option("maxOffsetsPerTrigger", config.max_offsets_per_trigger)
    return limited.option("startingOffsets", config.starting_offsets).load().select(*RAW_COLUMNS)


def read_logs_now(spark: SparkSession, config: TrainConfig) -> DataFrame:
    """Read what topic `logs` holds now, once; from `config.since` on when that is set."""
    reader = spark.read.format("kafka").options(**_source_options(config.bootstrap, config.topics.logs))
    if config.since is not None:
        reader = reader.option("startingTimestamp", int(config.since.timestamp() * 1000))
        # A partition without a record since then has nothing to learn from, which is no error.
        reader = reader.option("startingOffsetsByTimestampStrategy", "latest")
    return reader.load().select(*RAW_COLUMNS)


def _source_options(bootstrap: str, topic: str) -> dict[str, str]:
    return {"kafka.bootstrap.servers": bootstrap, "subscribe": topic, "failOnDataLoss": "true"}


def score_events(raw: DataFrame, model: Path) -> DataFrame:
    """Decode and score in one crossing to Python: every record comes out once, scored or with a reason."""
    folder = str(model)

    def score(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        loaded = scoring.load_model(folder)
        for batch in batches:
            yield scoring.score_batch(loaded, batch)

    return raw.mapInArrow(score, from_arrow_schema(scoring.OUTCOME_SCHEMA))


def observe_outcomes(outcomes: DataFrame) -> DataFrame:
    """Count on the way through; workers export nothing, the listener on the driver does.

    Rows are aggregated into a few numbers a batch: totals, one count per source type and per reason, and the
    abnormal rows' (service, score), whose number the budget keeps small and MAX_OFFSETS bounds.
    """
    scored = F.col("reason").isNull()
    by_type = [F.count_if(scored & (F.col("source_type") == kind)).alias(f"scored:{kind}") for kind in SourceType]
    columns = [
        F.count(F.lit(1)).alias("read"),
        F.count_if(scored).alias("scored"),
        F.count_if(scored & ~F.col("known_template")).alias("unknown"),
        F.min(F.unix_micros("observed_timestamp")).alias("oldest_micros"),  # a time would lose its zone on the way
        F.collect_list(F.when(F.col("is_anomaly"), F.struct("service_name", "score"))).alias("anomalies"),
        F.collect_list("reason").alias("reasons"),
        *by_type,
    ]
    return outcomes.observe(OUTCOMES, *columns)


def to_kafka_records(outcomes: DataFrame, topics: Topics) -> DataFrame:
    """Keep anomalies and what was set aside, addressed to their topics.

    A dead letter's value is the original bytes; headers carry reason, detail, topic, partition and offset.
    """
    rejected = F.col("reason").isNotNull()
    return outcomes.where(F.col("record").isNotNull()).select(
        F.when(rejected, F.lit(topics.dead_letter)).otherwise(F.lit(topics.anomalies)).alias("topic"),
        F.col("event_id").cast("binary").alias("key"),
        F.col("record").alias("value"),
        F.when(rejected, F.array(*[_header(name) for name in ("reason", "detail", "topic", "partition", "offset")]))
        .otherwise(F.array(_header("event_id")))
        .alias("headers"),
    )


def _header(column: str) -> Column:
    return F.struct(F.lit(column).alias("key"), F.col(column).cast("string").cast("binary").alias("value"))


def write_records(records: DataFrame, config: StreamConfig) -> StreamingQuery:
    """Write to Kafka, at least once: a batch repeated after a crash writes the same keys and values again."""
    writer = records.writeStream.format("kafka").queryName("semantic_inference")
    writer = writer.option("kafka.bootstrap.servers", config.bootstrap).option("kafka.acks", "all")
    writer = writer.option("kafka.max.request.size", str(4 * 1024 * 1024))
    writer = writer.option("checkpointLocation", str(config.checkpoint))
    if config.once:
        return writer.trigger(availableNow=True).start()
    return writer.trigger(processingTime=f"{config.trigger_seconds} seconds").start()


def count_masked_lines(raw: DataFrame) -> DataFrame:
    """Count equal masked lines per source type, service and time bucket; set-aside records count under `reason`."""

    def count(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield counting.count_batch(batch)

    partial = raw.mapInArrow(count, from_arrow_schema(counting.COUNT_SCHEMA))
    keys = [name for name in counting.COUNT_SCHEMA.names if name != "lines"]
    return partial.groupBy(*keys).agg(F.sum("lines").alias("lines"))
