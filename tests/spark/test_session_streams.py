"""Sessions on their way through Spark: counted to learn from, and judged in a stream of micro-batches."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from faultline.anomalies import SessionAnomaly, read_anomaly
from faultline.artifact import publish
from faultline.records import Event
from spark import streams
from spark.models import counting, structured_release

pytestmark = [
    pytest.mark.integration,
    # PySpark leaves the socket of each collect() to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
COLUMNS = "value binary, topic string, partition int, offset bigint, timestamp timestamp"
BODIES = ("order 5 placed for customer 7: 3 items", "charged 5 EUR for order 6", "reserved 3 items of article a1b2c3")
MakeEvent = Callable[..., Event]
Sessions = dict[str, tuple[int, tuple[str, ...]]]  # key -> second, bodies


def raw_rows(event: MakeEvent, sessions: Sessions) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for key, (second, bodies) in sessions.items():
        moment = NOON + timedelta(seconds=second)
        for body in bodies:
            made = event(body=body, trace_id=key, timestamp=moment, observed_timestamp=moment)
            rows.append((made.to_bytes(), "logs", len(rows) % 2, len(rows), moment))
    return rows


def table(spark: SparkSession, rows: list[tuple[Any, ...]]) -> DataFrame:
    return spark.createDataFrame(rows, COLUMNS).repartition(2)


@pytest.fixture(scope="module")
def model(spark: SparkSession, model_folder: Path, event: MakeEvent, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a session part, learned from five minutes in which every session has the same three lines."""
    models = tmp_path_factory.mktemp("models")
    (models / "encoder").symlink_to(model_folder.parent / "encoder")
    raw = table(spark, raw_rows(event, {f"n{second}": (second, BODIES) for second in range(300)}))
    sessions = streams.count_sessions(raw, model_folder, "").toArrow()
    assert sessions.schema.names == counting.SESSION_SCHEMA.names
    assert (sum(sessions["sessions"].to_pylist()), len(set(sessions["shape"].to_pylist()))) == (300, 1)
    facts = streams.count_facts(raw, model_folder).toArrow()
    (models / "work").mkdir()
    manifest = structured_release.extend(model_folder, facts, models / "work", 1 / 3, sessions)
    assert manifest["sessions"]["held_out_windows"] > 50
    return publish(models / "work", models)


def test_a_session_with_a_missing_step_comes_out_of_the_stream(
    spark: SparkSession, model: Path, event: MakeEvent, tmp_path: Path
) -> None:
    normal: Sessions = {f"k{second}": (second, BODIES) for second in range(300, 420)}
    planted: Sessions = {"short": (370, BODIES[:2]), "odd": (371, (*BODIES, "no stock", "no stock"))}
    for number in range(300, 420, 40):
        part = {key: made for key, made in {**normal, **planted}.items() if number <= made[0] < number + 40}
        table(spark, raw_rows(event, part)).coalesce(1).write.mode("append").parquet(str(tmp_path / "raw"))
    raw = spark.readStream.schema(COLUMNS).option("maxFilesPerTrigger", 1).parquet(str(tmp_path / "raw"))
    joined = streams.join_services(streams.score_events(raw, model), model.parent)
    query = joined.writeStream.format("memory").queryName("joined_sessions").outputMode("append")
    query = query.option("checkpointLocation", str(tmp_path / "checkpoint")).trigger(availableNow=True).start()
    assert query.awaitTermination(120)
    rows = spark.sql("select * from joined_sessions where kind = 'session'").collect()
    found = [read_anomaly(bytes(row.record)) for row in rows]
    assert sorted(record.session_key for record in found if isinstance(record, SessionAnomaly)) == ["odd", "short"]
    open_now = spark.sql("select sessions_open from joined_sessions where sessions_open is not null").collect()
    assert 0 < max(row.sessions_open for row in open_now) <= 80


def test_a_model_without_sessions_keeps_none(spark: SparkSession, model_folder: Path, event: MakeEvent) -> None:
    outcomes = streams.score_events(table(spark, raw_rows(event, {"k": (0, BODIES)})), model_folder)
    assert {row.kind for row in outcomes.select("kind").collect()} == {"event"}


def test_too_few_sessions_add_no_session_part(
    spark: SparkSession, model: Path, model_folder: Path, event: MakeEvent, tmp_path: Path
) -> None:
    raw = table(spark, raw_rows(event, {f"n{second}": (second, BODIES) for second in range(40)}))
    facts = streams.count_facts(raw, model_folder).toArrow()
    empty = pa.Table.from_pylist([], counting.SESSION_SCHEMA)
    (tmp_path / "encoder").symlink_to(model_folder.parent / "encoder")
    (tmp_path / "work").mkdir()
    # Not even when the base has one: it was learned with other facts.
    manifest = structured_release.extend(model, facts, tmp_path / "work", 1.0, empty)
    assert "sessions" not in manifest
    assert not (tmp_path / "work" / "sessions").exists()
