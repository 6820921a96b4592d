"""Steps of the stream, DataFrame in, DataFrame out; only `read_*` and `write_*` touch the outside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.streaming.state import GroupState, GroupStateTimeout

from faultline.activations import Activations
from faultline.config import StreamConfig, Topics, TrainConfig
from faultline.feedback import Pattern
from faultline.records import SourceType
from spark.models import counting, joining, scoring
from spark.models.parts import PartByFolder
from spark.models.payloads import SESSIONS
from spark.models.session_joining import join_sessions
from spark.worker import forget_archives, freeze_heap

RAW_COLUMNS = ("value", "topic", "partition", "offset", "timestamp")
BATCH_TIME = "batch_time"
OUTCOMES = "outcomes"  # names under which progress.py finds the counts
JOINED = "joined"


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


def score_events(raw: DataFrame, model: Path | Activations) -> DataFrame:
    """Decode and score in one crossing to Python: every record comes out once, scored or with a reason.

    `model` is a folder, or tells the folder by the time of the micro-batch, which Spark keeps: a batch that is
    repeated is scored by the same model, whatever is champion then.
    """

    def score(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        forget_archives()
        for batch in batches:
            if batch.num_rows:
                folder = str(_folder(model, batch.column(BATCH_TIME)[0].as_py()))
                parts = scoring.load_structured(folder), scoring.load_sessions(folder)
                scored = scoring.score_batch(scoring.load_model(folder), batch, *parts)
                freeze_heap(folder)
                yield scored

    timed = raw.withColumn(BATCH_TIME, F.current_timestamp())
    return timed.mapInArrow(score, from_arrow_schema(scoring.OUTCOME_SCHEMA))


def _folder(model: Path | Activations, batch_time: datetime) -> Path:
    return model if isinstance(model, Path) else model.folder_at(batch_time)


def observe_outcomes(outcomes: DataFrame) -> DataFrame:
    """Count on the way through; workers export nothing, the listener on the driver does.

    Rows are aggregated into a few numbers a batch: totals, one count per source type and per reason.
    """
    is_event = F.col("kind") == "event"
    scored = is_event & F.col("reason").isNull()
    by_type = [F.count_if(scored & (F.col("source_type") == kind)).alias(f"scored:{kind}") for kind in SourceType]
    columns = [
        F.count_if(is_event).alias("read"),
        F.count_if(scored).alias("scored"),
        F.count_if(scored & ~F.col("known_template")).alias("unknown"),
        F.min(F.unix_micros("observed_timestamp")).alias("oldest_micros"),  # a time would lose its zone on the way
        F.collect_list("reason").alias("reasons"),
        *by_type,
    ]
    return outcomes.observe(OUTCOMES, *columns)


def join_services(outcomes: DataFrame, models: Path) -> DataFrame:
    """Join lines and numbers per service, statefully; rows that are no record are counted and end here.

    One group holds all services, so that each second is closed for all of them, also for one that has fallen silent;
    what reaches it is one row of facts per Arrow batch, and abnormal lines. Sessions have groups of their own, so that
    the state of the services is not rewritten with theirs; each gets a row of every Arrow batch. Set-aside records pass
    beside them. Spark's own watermark would drop late rows, abnormal lines among them: lateness is kept in the state.
    """
    folder = str(models)
    aside, place = F.col("reason").isNotNull(), F.col("partition")
    joined = outcomes.where(F.col("record").isNotNull()).withColumn(
        "group",
        F.when(aside, F.concat(F.lit("aside "), place))
        .when(F.col("kind") == SESSIONS, F.concat(F.lit(f"{SESSIONS} "), place))
        .otherwise("services"),
    )

    def advance(key: tuple[str], frames: Iterator[pd.DataFrame], state: GroupState) -> Iterator[pd.DataFrame]:
        forget_archives()
        if key[0].startswith("aside"):
            yield from map(joining.pass_on, frames)
            return
        before = bytes(state.get[0]) if state.exists else None
        found = pd.concat(list(frames))
        if key[0].startswith(SESSIONS):
            after, rows = join_sessions(before, found, PartByFolder(Path(folder), scoring.load_sessions))
        else:
            after, rows = joining.join(before, found, PartByFolder(Path(folder), scoring.load_structured))
        state.update((after,))
        yield joining.frame(rows)

    columns = ", ".join(f"`{name}` {kind}" for name, kind in joining.JOINED_COLUMNS.items())
    kept = ("kind", "event_id", "record", "reason", "detail", "topic", "partition", "offset", "group")
    return (
        joined.select(*kept)
        .groupBy("group")
        .applyInPandasWithState(advance, columns, "state binary", "append", GroupStateTimeout.NoTimeout)
    )


def observe_joined(joined: DataFrame) -> DataFrame:
    """Count anomalies and what the state left out, on the way through.

    The (service, detector, score) of all anomalies: the budget keeps them few and MAX_OFFSETS bounds them.
    """
    found = F.when(F.col("is_anomaly"), F.struct("service_name", "detector", "score"))
    columns = [
        F.collect_list(found).alias("anomalies"),
        *(F.max(name).alias(name) for name in ("late", "left_out", "recoveries", "accepted", "services")),
        *(F.sum(name).alias(name) for name in joining.JOINED_COLUMNS if name.startswith("sessions_")),
    ]
    return joined.observe(JOINED, *columns)


def to_kafka_records(joined: DataFrame, topics: Topics) -> DataFrame:
    """Address anomalies, changes and what was set aside to their topics.

    A dead letter's value is the original bytes; headers carry reason, detail, topic, partition and offset.
    """
    rejected = F.col("reason").isNotNull()
    return joined.where(F.col("record").isNotNull()).select(
        F.when(rejected, F.lit(topics.dead_letter))
        .when(F.col("kind") == joining.CHANGE, F.lit(topics.changes))
        .otherwise(F.lit(topics.anomalies))
        .alias("topic"),
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


def count_facts(raw: DataFrame, model: Path) -> DataFrame:
    """Count facts per service and second with a model's templates; records that cannot be decoded are left out."""
    folder = str(model)

    def count(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        loaded = scoring.load_model(folder)
        for batch in batches:
            yield counting.facts_batch(scoring.count_facts(loaded, batch))

    partial = raw.mapInArrow(count, from_arrow_schema(counting.FACT_SCHEMA))
    sums = [F.sum("total").alias("total"), F.max("peak").alias("peak"), F.sum("lines").alias("lines")]
    return partial.groupBy("service_name", "second", "name").agg(*sums)


def count_sessions(raw: DataFrame, model: Path, pattern: str) -> DataFrame:
    """Count equal sessions with a model's templates; records that cannot be decoded or have no key are left out."""
    folder = str(model)

    def cut(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        loaded = scoring.load_model(folder)
        for batch in batches:
            yield counting.pieces_batch(scoring.count_pieces(loaded, batch, pattern))

    def join(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield counting.sessions_batch(batch.column("pieces").to_pylist(), pattern)

    pieces = raw.mapInArrow(cut, from_arrow_schema(counting.PIECE_SCHEMA))
    by_key = pieces.groupBy("key").agg(F.collect_list("piece").alias("pieces")).select("pieces")
    counted = by_key.mapInArrow(join, from_arrow_schema(counting.SESSION_SCHEMA))
    keys = [name for name in counting.SESSION_SCHEMA.names if name != "sessions"]
    return counted.groupBy(*keys).agg(F.sum("sessions").alias("sessions"))


def count_masked_lines(raw: DataFrame, kept: frozenset[Pattern] = frozenset()) -> DataFrame:
    """Count equal masked lines per source type, service and time bucket.

    Set-aside records, and lines that verdicts call signs of a fault, count under `reason`.
    """

    def count(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield counting.count_batch(batch, kept)

    partial = raw.mapInArrow(count, from_arrow_schema(counting.COUNT_SCHEMA))
    keys = [name for name in counting.COUNT_SCHEMA.names if name != "lines"]
    return partial.groupBy(*keys).agg(F.sum("lines").alias("lines"))
