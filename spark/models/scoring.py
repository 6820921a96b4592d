"""One Arrow batch of raw records in, one row of outcome per record out: decode, mask, judge, decide."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from faultline.anomalies import Anomaly
from faultline.errors import DecodeError
from faultline.records import Event
from spark.models.features import Fact, event_text
from spark.models.masking import mask_texts
from spark.models.payloads import ScoredLines, payload_rows
from spark.models.semantic import DETECTOR, SemanticModel, Verdict, decide
from spark.models.session_model import SessionModel
from spark.models.session_state import Piece
from spark.models.structured import StructuredModel

_SEPARATOR: Final = "\x1f"  # masking leaves no control character in a text
# Less than a message may have (kafka_io.MAX_MESSAGE_BYTES), so that headers fit beside it. A longer record, which
# a producer that compresses can bring in, would stop the stream for ever; topic and offset say where it is whole.
MAX_KEPT_BYTES: Final = 4 * 1024 * 1024 - 16 * 1024
_MICROSECONDS: Final = pa.timestamp("us", tz="UTC")

OUTCOME_SCHEMA: Final = pa.schema(
    [
        ("kind", pa.string()),  # event; or facts or sessions: rows about the batch, see payloads.py
        ("event_id", pa.string()),
        ("timestamp", _MICROSECONDS),
        ("observed_timestamp", _MICROSECONDS),
        ("source_type", pa.string()),
        ("service_name", pa.string()),
        ("template_id", pa.string()),
        ("known_template", pa.bool_()),
        ("score", pa.float32()),
        ("p_value", pa.float64()),
        ("is_anomaly", pa.bool_()),
        ("reason", pa.string()),  # null: scored; else why the record was set aside
        ("detail", pa.string()),
        ("record", pa.binary()),  # an anomaly's JSON, or the original bytes of what was set aside
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
    ]
)


@lru_cache(maxsize=2)  # the champion and its successor
def load_model(folder: str) -> SemanticModel:
    """Load a model once per worker process."""
    model = SemanticModel.load(Path(folder))
    model.warm()
    return model


@lru_cache(maxsize=2)
def load_structured(folder: str) -> StructuredModel | None:
    """Load the structured part of a model once per worker process; None when it has none."""
    return StructuredModel.load(Path(folder))


@lru_cache(maxsize=2)
def load_sessions(folder: str) -> SessionModel | None:
    """Load the session part of a model once per worker process; None when it has none."""
    return SessionModel.load(Path(folder))


def decode(values: Sequence[bytes | None]) -> list[Event | DecodeError]:
    """Decode each record or say why not; never raises for bad bytes."""
    return [_decode_one(value) for value in values]


def _decode_one(value: bytes | None) -> Event | DecodeError:
    try:
        return Event.from_bytes(value)
    except DecodeError as error:
        return error


def masked_texts(events: Sequence[Event]) -> pa.Array:
    """Return the masked feature text of each event, string [n]."""
    return mask_texts(pa.array([event_text(event) for event in events], pa.string()))


def score_batch(
    model: SemanticModel,
    batch: pa.RecordBatch,
    structured: StructuredModel | None = None,
    sessions: SessionModel | None = None,
) -> pa.RecordBatch:
    """Return OUTCOME_SCHEMA rows, one per row of `batch` (value, topic, partition, offset), in its order.

    With a structured or a session model, which need the column `timestamp` (when the broker took the record) too, the
    rows of payloads.payload_rows follow.
    """
    values = batch.column("value").to_pylist()
    decoded = decode(values)
    rows = [row for row, item in enumerate(decoded) if isinstance(item, Event)]
    events = [item for item in decoded if isinstance(item, Event)]
    scored = _score_events(model, events)
    rejected_rows = [row for row, item in enumerate(decoded) if isinstance(item, DecodeError)]
    rejected = _reject([item for item in decoded if isinstance(item, DecodeError)], [values[r] for r in rejected_rows])
    table = pa.concat_tables([scored, rejected])
    order = np.argsort(np.array(rows + rejected_rows, np.int64))
    table = table.take(pa.array(order))
    for name in ("topic", "partition", "offset"):
        table = table.append_column(
            OUTCOME_SCHEMA.field(name), batch.column(name).cast(OUTCOME_SCHEMA.field(name).type)
        )
    if structured is not None or sessions is not None:
        lines = _scored_lines(events, scored, batch.take(pa.array(rows, pa.int64())))
        extra = payload_rows(lines, structured, sessions)
        table = pa.concat_tables([table, pa.Table.from_pylist(extra, OUTCOME_SCHEMA)])
    return table.combine_chunks().to_batches()[0] if len(table) else pa.RecordBatch.from_pylist([], OUTCOME_SCHEMA)


def count_facts(model: SemanticModel, batch: pa.RecordBatch) -> list[Fact]:
    """Return the facts of an Arrow batch with every template: what the structured model learns."""
    return scored_lines(model, batch).facts(None)


def count_pieces(model: SemanticModel, batch: pa.RecordBatch, pattern: str) -> list[Piece]:
    """Return the pieces of sessions of an Arrow batch: what the session model learns."""
    return scored_lines(model, batch).pieces(pattern)


def scored_lines(model: SemanticModel, batch: pa.RecordBatch) -> ScoredLines:
    """Return the records of an Arrow batch (value, partition, timestamp) that can be decoded, with their templates."""
    decoded = decode(batch.column("value").to_pylist())
    rows = [row for row, item in enumerate(decoded) if isinstance(item, Event)]
    events = [item for item in decoded if isinstance(item, Event)]
    return _scored_lines(events, _score_events(model, events), batch.take(pa.array(rows, pa.int64())))


def _scored_lines(events: list[Event], scored: pa.Table, batch: pa.RecordBatch) -> ScoredLines:
    new = pc.invert(scored["known_template"])
    routine = pc.and_(new, pc.equal(scored["score"], 0.0))  # as Verdict.routine
    columns = (batch.column("timestamp"), batch.column("partition"), scored["template_id"], scored["known_template"])
    return ScoredLines(events, *(column.to_pylist() for column in (*columns, routine)))


def _score_events(model: SemanticModel, events: list[Event]) -> pa.Table:
    """Judge each distinct (source type, masked text) once and spread the answers over the rows."""
    keys = pc.binary_join_element_wise(
        pa.array([event.source_type.value for event in events], pa.string()), masked_texts(events), _SEPARATOR
    ).dictionary_encode()
    pairs = [key.split(_SEPARATOR, 1) for key in keys.dictionary.to_pylist()]
    verdicts = model.judge([masked for _, masked in pairs])
    p_values, abnormal = decide(model, verdicts, [source_type for source_type, _ in pairs])
    index = keys.indices.to_numpy(zero_copy_only=False)
    records: list[bytes | None] = [None] * len(events)
    for row in np.flatnonzero(abnormal[index]).tolist():
        pair = index[row]
        records[row] = make_anomaly(model, events[row], verdicts[pair], float(p_values[pair])).to_bytes()
    take = keys.indices
    columns = {
        "kind": pa.repeat("event", len(events)),
        "event_id": pa.array([event.event_id for event in events], pa.string()),
        "timestamp": pa.array([event.timestamp for event in events], _MICROSECONDS),
        "observed_timestamp": pa.array([event.observed_timestamp for event in events], _MICROSECONDS),
        "source_type": pa.array([source_type for source_type, _ in pairs], pa.string()).take(take),
        "service_name": pa.array([event.service_name for event in events], pa.string()),
        "template_id": pa.array([verdict.template_id for verdict in verdicts], pa.string()).take(take),
        "known_template": pa.array([verdict.known for verdict in verdicts], pa.bool_()).take(take),
        "score": pa.array([verdict.score for verdict in verdicts], pa.float32()).take(take),
        "p_value": pa.array(p_values[index], pa.float64()),
        "is_anomaly": pa.array(abnormal[index], pa.bool_()),
        "reason": pa.nulls(len(events), pa.string()),
        "detail": pa.nulls(len(events), pa.string()),
        "record": pa.array(records, pa.binary()),
    }
    return pa.table(columns)


def make_anomaly(model: SemanticModel, event: Event, verdict: Verdict, p_value: float) -> Anomaly:
    """Return what a person needs to judge the line; keeps its id, times and original text."""
    return Anomaly(
        attributes=event.attributes,
        body=event.body,
        detector=DETECTOR,
        event_id=event.event_id,
        host_name=event.host_name,
        known_template=verdict.known,
        model_version=model.version,
        nearest_distance=verdict.distance,
        nearest_template=verdict.nearest,
        observed_timestamp=event.observed_timestamp,
        p_value=p_value,
        score=verdict.score,
        service_name=event.service_name,
        severity=event.severity,
        source_type=event.source_type,
        template=verdict.template,
        template_id=verdict.template_id,
        timestamp=event.timestamp,
        trace_id=event.trace_id,
    )


def _reject(errors: Sequence[DecodeError], values: Sequence[bytes | None]) -> pa.Table:
    own = {
        "kind": pa.repeat("event", len(errors)),
        "reason": pa.array([error.reason for error in errors], pa.string()),
        "detail": pa.array([error.detail[:500] for error in errors], pa.string()),
        "record": pa.array([(value or b"")[:MAX_KEPT_BYTES] for value in values], pa.binary()),
    }
    fields = [field for field in OUTCOME_SCHEMA if field.name not in ("topic", "partition", "offset")]
    return pa.table({f.name: own.get(f.name, pa.nulls(len(errors), f.type)) for f in fields})
