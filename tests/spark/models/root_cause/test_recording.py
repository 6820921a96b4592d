"""What is kept of a stretch of time, and read again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from faultline.catalog.graph import Edge
from faultline.errors import ConfigError
from faultline.records import Event, Severity, SourceType
from spark.models.root_cause.counting import REQUEST_SCHEMA, STEP_SCHEMA
from spark.models.root_cause.flow import Step
from spark.models.root_cause.recording import TABLES, Recording, event_rows
from tests.spark.models.root_cause.test_symptoms import abnormal_line

MakeEvent = Callable[..., Event]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BUCKET = int(NOON.timestamp())


def commit(event: MakeEvent, seconds: float = 0.0) -> Event:
    moment = NOON + timedelta(seconds=seconds)
    return event(
        source_type=SourceType.GITHUB_COMMITS, timestamp=moment, observed_timestamp=moment, body=f"commit {seconds:g}"
    )


def write_recording(folder: Path, **tables: list[dict[str, object]]) -> None:
    parts = [
        {"service_name": name, "request": f"r{n}", "begin": n + at, "end": n + 1.0 - at}
        for n in range(9)
        for name, at in (("orders", 0.0), ("payments", 0.2))
    ]
    own: dict[str, pa.Table] = {
        "anomalies": pa.Table.from_pylist(
            tables.get("anomalies", []), pa.schema([("arrived", pa.int64()), ("record", pa.binary())])
        ),
        "steps": pa.Table.from_pylist(tables.get("steps", []), STEP_SCHEMA),
        "parts": pa.Table.from_pylist(parts).select(["request", "service_name", "begin", "end"]),
        "errors": pa.Table.from_pylist(
            tables.get("errors", []),
            pa.schema([("bucket", pa.int64()), ("service_name", pa.string()), ("lines", pa.int64())]),
        ),
        "changes": pa.Table.from_pylist(tables.get("changes", []), pa.schema([("record", pa.binary())])),
        "versions": pa.Table.from_pylist(
            tables.get("versions", []),
            pa.schema([("bucket", pa.int64()), ("service_name", pa.string()), ("version", pa.string())]),
        ),
        "starts": pa.Table.from_pylist(
            tables.get("starts", []),
            pa.schema([("bucket", pa.int64()), ("service_name", pa.string()), ("started", pa.float64())]),
        ),
    }
    for name, table in own.items():
        (folder / name).mkdir(parents=True)
        pq.write_table(table, folder / name / "part-0.parquet")


def test_events_become_rows_and_only_changes_are_kept_whole(event: MakeEvent) -> None:
    later = NOON + timedelta(seconds=7)
    plain = event(service_name="orders", severity=Severity.ERROR, timestamp=later, observed_timestamp=later)
    change = commit(event)
    told = {"service.version": "1.1.0"}
    health = event(source_type=SourceType.FASTAPI_STATUS, attributes=told, timestamp=NOON, observed_timestamp=NOON)
    measured = {"process_start_time_seconds": 1.5}
    metrics = event(
        source_type=SourceType.APP_CONTAINER_METRICS, measures=measured, timestamp=NOON, observed_timestamp=NOON
    )
    kept = [plain.to_bytes(), b"no json", change.to_bytes(), health.to_bytes(), metrics.to_bytes()]
    values = pa.array(kept, pa.binary())
    rows = event_rows(pa.RecordBatch.from_arrays([values], ["value"])).to_pylist()
    assert [row["bucket"] - BUCKET for row in rows] == [5, 0, 0, 0]
    assert (rows[0]["service_name"], rows[0]["severity"], rows[0]["record"]) == ("orders", "ERROR", None)
    assert rows[1]["record"] == change.to_bytes()
    assert [(row["version"], row["started"]) for row in rows[1:]] == [("", 0.0), ("1.1.0", 0.0), ("", 1.5)]


def test_recording_is_read_in_order_of_time(tmp_path: Path, event: MakeEvent) -> None:
    line = abnormal_line().to_bytes()
    write_recording(
        tmp_path,
        anomalies=[{"arrived": 1_000_000 * (BUCKET + s), "record": line} for s in (2, 1)],
        steps=[{"bucket": BUCKET, "service_name": "orders", "before": "a", "after": "b", "taken": 3}],
        errors=[{"bucket": BUCKET, "service_name": "orders", "lines": 2}],
        changes=[{"record": commit(event, s).to_bytes()} for s in (9, 3)],
        versions=[
            {"bucket": BUCKET + at, "service_name": name, "version": version}
            for at, name, version in ((10, "orders", "2"), (0, "orders", "1"), (5, "orders", "1"), (5, "payments", "1"))
        ],
        starts=[
            {"bucket": BUCKET + at, "service_name": "orders", "started": BUCKET + began}
            for at, began in ((0, -60.0), (5, -60.0), (25, 21.5))
        ],
    )
    found = Recording.read(tmp_path)
    assert [arrived - NOON for arrived, _ in found.anomalies] == [timedelta(seconds=1), timedelta(seconds=2)]
    assert found.steps == {BUCKET: {Step("orders", "a", "b"): 3}}
    assert found.errors == {BUCKET: {"orders": 2}}
    assert found.edges == [Edge("orders", "payments", 9)]
    assert [(known - NOON, change.at - NOON, change.text) for known, change in found.changes] == [
        (timedelta(seconds=3), timedelta(seconds=3), "commit 3"),
        (timedelta(seconds=9), timedelta(seconds=9), "commit 9"),
        (timedelta(seconds=15), timedelta(seconds=15), "orders runs version 2, before 1"),
        (timedelta(seconds=30), timedelta(seconds=21.5), "orders was started"),
    ]


@pytest.mark.parametrize("name", TABLES)
def test_missing_table_is_named(tmp_path: Path, name: str) -> None:
    import shutil

    write_recording(tmp_path)
    shutil.rmtree(tmp_path / name)
    with pytest.raises(ConfigError, match=f"{name}.*expected a folder of Parquet"):
        Recording.read(tmp_path)


def test_record_that_is_no_anomaly_is_refused(tmp_path: Path) -> None:
    write_recording(tmp_path, anomalies=[{"arrived": 0, "record": b"{}"}])
    with pytest.raises(ConfigError, match="tables as incident_preprocessing writes them"):
        Recording.read(tmp_path)


def test_schema_names_are_those_of_the_rows() -> None:
    assert set(REQUEST_SCHEMA.names) > {"request", "service_name", "begin", "end"}
