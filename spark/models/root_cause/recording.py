"""A stretch of time as kept for experiment 3: tables of Parquet, and what can be read from them again."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from faultline.anomalies import AnyAnomaly, read_anomaly
from faultline.catalog.graph import Edge
from faultline.changes import ChangeEvent, change_of, restart, told_start, told_version, version_change
from faultline.errors import ConfigError, DecodeError
from faultline.records import Event, SourceType
from spark.models.root_cause.calls import Part, learn_edges
from spark.models.root_cause.counting import BUCKET_SECONDS, parts_of, steps_by_bucket
from spark.models.root_cause.flow import Counts
from spark.models.scoring import decode

CHANGE_TYPES: Final = (SourceType.GITHUB_COMMITS, SourceType.GITHUB_ACTIONS, SourceType.PUBLIC_CLOUD)
TABLES: Final = ("anomalies", "steps", "parts", "errors", "changes", "versions", "starts")
EVENT_SCHEMA: Final = pa.schema(
    [
        ("bucket", pa.int64()),
        ("service_name", pa.string()),
        ("source_type", pa.string()),
        ("severity", pa.string()),
        ("version", pa.string()),  # that the service says it runs, empty when it says none
        ("started", pa.float64()),  # when its process began, Unix time, 0.0 when it does not say
        ("record", pa.binary()),  # of a change, whole
    ]
)


def event_rows(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return EVENT_SCHEMA rows of an Arrow batch with a column `value`; what cannot be decoded is left out."""
    values = batch.column("value").to_pylist()
    rows = []
    for value, event in zip(values, decode(values), strict=True):
        if isinstance(event, Event):
            second = int(event.timestamp.timestamp())
            kept = value if event.source_type in CHANGE_TYPES else None
            bucket = second - second % BUCKET_SECONDS
            own_word = (told_version(event), told_start(event))
            row = (bucket, event.service_name, event.source_type.value, event.severity.value, *own_word, kept)
            rows.append(dict(zip(EVENT_SCHEMA.names, row, strict=True)))
    return pa.RecordBatch.from_pylist(rows, EVENT_SCHEMA)


@dataclass(frozen=True)
class Recording:
    """What was seen of a stretch of time."""

    anomalies: tuple[tuple[datetime, AnyAnomaly], ...]  # with the time each reached the broker, in that order
    steps: dict[int, Counts]  # by bucket of BUCKET_SECONDS
    parts: tuple[Part, ...]
    errors: dict[int, Counter[str]]  # lines of each service at ERROR and above, by bucket
    changes: tuple[tuple[datetime, ChangeEvent], ...]  # with the time each was known at the latest, in that order

    @cached_property
    def edges(self) -> list[Edge]:
        """The calls that the requests show."""
        return learn_edges(self.parts)

    def between(self, begin: datetime, end: datetime) -> Sequence[tuple[datetime, AnyAnomaly]]:
        """Return the anomalies that reached the broker between two times."""
        first = bisect_left(self.anomalies, begin, key=itemgetter(0))
        return self.anomalies[first : bisect_right(self.anomalies, end, key=itemgetter(0))]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a recording; raises ConfigError when a table is missing or not one of a recording."""
        tables = {name: _read(folder / name) for name in TABLES}
        try:
            arrived = sorted(tables["anomalies"].to_pylist(), key=lambda row: row["arrived"])
            anomalies = tuple((_moment(row["arrived"]), read_anomaly(row["record"])) for row in arrived)
            errors: dict[int, Counter[str]] = defaultdict(Counter)
            for row in tables["errors"].to_pylist():
                errors[row["bucket"]][row["service_name"]] += row["lines"]
            return cls(
                anomalies,
                steps_by_bucket(tables["steps"]),
                tuple(parts_of(tables["parts"])),
                dict(errors),
                tuple(sorted(_changes(tables), key=lambda known: (known[0], known[1].event_id))),
            )
        except (KeyError, DecodeError) as error:
            raise ConfigError(
                "recording", str(folder), f"tables as incident_preprocessing writes them: {error}"
            ) from error


def _moment(micros: int) -> datetime:
    return datetime.fromtimestamp(micros / 1e6, UTC)


def _changes(tables: Mapping[str, pa.Table]) -> Iterator[tuple[datetime, ChangeEvent]]:
    """Yield events, new versions and new processes; the first of a service are none, see fleet.py."""
    for row in tables["changes"].to_pylist():
        if change := change_of(Event.from_bytes(row["record"])):
            yield change.at, change
    running: dict[str, str] = {}
    for row in _in_order(tables["versions"]):
        before = running.setdefault(row["service_name"], row["version"])
        if before != row["version"]:
            running[row["service_name"]] = row["version"]
            yield _end(row), version_change(row["service_name"], _end(row), before, row["version"])
    started: dict[str, float] = {}
    for row in _in_order(tables["starts"]):
        if row["started"] > started.setdefault(row["service_name"], row["started"]):
            started[row["service_name"]] = row["started"]
            yield _end(row), restart(row["service_name"], datetime.fromtimestamp(row["started"], UTC))


def _in_order(table: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.sort_by([("bucket", "ascending"), ("service_name", "ascending")]).to_pylist()
    return rows


def _end(row: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(row["bucket"] + BUCKET_SECONDS, UTC)


def _read(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        expected = "a folder of Parquet, as ./run spark incident_preprocessing.py writes it"
        raise ConfigError("recording", str(path), expected) from error
