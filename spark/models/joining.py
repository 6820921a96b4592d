"""The stream's second stage: what the workers found in a micro-batch, joined per service with what was there before.

A function of state and rows, so that Spark only has to keep the state; see fleet.py for what it holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import pandas as pd

from faultline.anomalies import Anomaly
from faultline.changes import ChangeEvent
from faultline.errors import DecodeError
from spark.models.fleet import Fleet, Payload, ServiceSecond
from spark.models.structured import DETECTOR, StructuredModel

Records = list[dict[str, Any]]
CHANGE: Final = "change"
# Columns of a row on its way to Kafka, and of the counts that progress.py reads.
JOINED_COLUMNS: Final = {
    "kind": "string",  # line, dead_letter, service, session, change, or state: a row a batch with what was counted
    "event_id": "string",
    "record": "binary",
    "reason": "string",
    "detail": "string",
    "topic": "string",
    "partition": "int",
    "offset": "bigint",
    "service_name": "string",
    "score": "float",
    "is_anomaly": "boolean",
    "detector": "string",
    "late": "bigint",
    "left_out": "bigint",
    "recoveries": "bigint",
    "accepted": "bigint",
    "services": "int",
    "sessions_open": "bigint",  # these of one shard
    "sessions_late": "bigint",
    "sessions_early": "bigint",
    "sessions_accepted": "bigint",
}
_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE_STATE = msgspec.msgpack.Decoder(Fleet).decode
_DECODE_PAYLOAD = msgspec.msgpack.Decoder(Payload).decode


def join(
    state: bytes | None, rows: pd.DataFrame, models: Mapping[str, StructuredModel | None]
) -> tuple[bytes, Records]:
    """Return the new state and the rows to write: abnormal lines, and what services turned out to be.

    `models` finds a structured model by its folder's name. The same state and rows, in any order, give the same result.
    """
    fleet = Fleet() if state is None else _DECODE_STATE(state)
    lines = rows[rows["kind"] == "event"]
    payloads = [_DECODE_PAYLOAD(record) for record in rows.loc[rows["kind"] == "facts", "record"]]
    lasting = fleet.take(payloads, _anomalies(lines["record"]))
    changes = fleet.changes(payloads)
    found: list[ServiceSecond] = []
    for name in sorted({payload.model for payload in payloads}):  # one: a batch is of one model
        model = models[name]
        found += fleet.judge(model) if model is not None else []
    return _ENCODE(fleet), [
        *map(_line_row, lasting),
        *map(_second_row, found),
        *map(_change_row, changes),
        _state_row(fleet),
    ]


def pass_on(rows: pd.DataFrame) -> pd.DataFrame:
    """Return set-aside records as rows to write; nothing is kept of them."""
    return rows.assign(kind="dead_letter").reindex(columns=list(JOINED_COLUMNS))


def frame(rows: Records) -> pd.DataFrame:
    """Return rows with every column of JOINED_COLUMNS, None where a row has none."""
    columns = {name: pd.Series([row.get(name) for row in rows], dtype=object) for name in JOINED_COLUMNS}
    return pd.DataFrame(columns)


def _anomalies(records: Iterable[bytes]) -> Iterable[Anomaly]:
    for record in records:
        try:
            yield Anomaly.from_bytes(record)
        except DecodeError as error:  # written by the first stage a moment ago
            raise ValueError(f"an anomaly of this very batch cannot be read: {error}") from error


def _line_row(anomaly: Anomaly) -> dict[str, Any]:
    return {
        "kind": "line",
        "event_id": anomaly.event_id,
        "record": anomaly.to_bytes(),
        "service_name": anomaly.service_name,
        "score": anomaly.score,
        "is_anomaly": True,
        "detector": anomaly.detector,
    }


def _second_row(found: ServiceSecond) -> dict[str, Any]:
    record = found.record
    return {
        "kind": "service",
        "event_id": record.event_id if record else None,
        "record": record.to_bytes() if record else None,
        "service_name": found.service_name,
        "score": found.score,
        "is_anomaly": found.abnormal,
        "detector": DETECTOR,
    }


def _change_row(change: ChangeEvent) -> dict[str, Any]:
    return {
        "kind": CHANGE,
        "event_id": change.event_id,
        "record": change.to_bytes(),
        "service_name": change.service_name,
    }


def _state_row(fleet: Fleet) -> dict[str, Any]:
    windows = fleet.windows
    return {
        "kind": "state",
        "late": windows.late,
        "left_out": windows.left_out,
        "recoveries": fleet.recoveries,
        "accepted": fleet.accepted,
        "services": len(windows.services),
    }
