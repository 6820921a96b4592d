"""Steps that keep what was seen of incidents: anomalies, requests, errors and changes of a stretch of time.

What experiment 3 ranks causes from, and what a researcher repeats it with: Parquet, without the logs themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from faultline.incident_config import RecordingConfig
from faultline.records import Severity
from spark.models.root_cause.recording import CHANGE_TYPES, EVENT_SCHEMA, event_rows
from spark.requests import count_steps, read_requests
from spark.streams import RAW_COLUMNS


def read_between(spark: SparkSession, config: RecordingConfig, topic: str) -> DataFrame:
    """Read what a topic was sent between two times, once."""
    reader = spark.read.format("kafka").option("kafka.bootstrap.servers", config.bootstrap).option("subscribe", topic)
    reader = reader.option("startingTimestamp", _millis(config.since)).option("endingTimestamp", _millis(config.until))
    # A partition without a record since then has nothing to tell, which is no error.
    return reader.option("startingOffsetsByTimestampStrategy", "latest").load().select(*RAW_COLUMNS)


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def read_events(raw: DataFrame) -> DataFrame:
    """Return what recording needs to know of every record that can be decoded: errors, and changes whole."""

    def read(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield event_rows(batch)

    return raw.mapInArrow(read, from_arrow_schema(EVENT_SCHEMA))


def record(logs: DataFrame, anomalies: DataFrame, model: Path, pattern: str) -> dict[str, DataFrame]:
    """Return the tables of a recording by name, see spark/models/root_cause/recording.py."""
    events = read_events(logs)
    requests = read_requests(logs, model, pattern)
    bad = events.where(F.col("severity").isin(Severity.ERROR.value, Severity.FATAL.value))
    return {
        "anomalies": anomalies.select(
            F.unix_micros("timestamp").alias("arrived"),  # a time would lose its zone on the way
            F.col("value").alias("record"),
        ),
        "steps": count_steps(requests),
        "parts": requests.select("request", "service_name", "begin", "end"),
        "errors": bad.groupBy("bucket", "service_name").agg(F.count("*").alias("lines")),
        # While two versions run side by side, the newer one counts.
        "versions": events.where("version != ''")
        .groupBy("bucket", "service_name")
        .agg(F.max("version").alias("version")),
        "starts": events.where("started > 0").groupBy("bucket", "service_name").agg(F.max("started").alias("started")),
        "changes": events.where(F.col("source_type").isin(*CHANGE_TYPES)).select("record"),
    }
