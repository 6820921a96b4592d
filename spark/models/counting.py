"""Training input: masked lines counted per service and time bucket, facts per service and second."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

import msgspec
import pyarrow as pa

from faultline.feedback import Pattern
from faultline.records import Event
from spark.models.buckets import bucket_of
from spark.models.features import Fact
from spark.models.scoring import decode, masked_texts
from spark.models.semantic_training import CountedLine
from spark.models.session_state import Piece, join_pieces, shape_text
from spark.models.templates import generalise

KEPT: Final = "sign_of_a_fault"  # an operator said so
COUNT_SCHEMA: Final = pa.schema(
    [
        ("source_type", pa.string()),
        ("service_name", pa.string()),
        ("masked", pa.string()),
        ("bucket", pa.timestamp("us", tz="UTC")),
        ("reason", pa.string()),  # null: decoded; else why the record cannot be learned from
        ("lines", pa.int64()),
    ]
)
FACT_SCHEMA: Final = pa.schema(
    [
        ("service_name", pa.string()),
        ("second", pa.int64()),
        ("name", pa.string()),
        ("total", pa.float64()),
        ("peak", pa.float64()),
        ("lines", pa.int64()),
    ]
)

PIECE_SCHEMA: Final = pa.schema([("key", pa.string()), ("piece", pa.binary())])
SESSION_SCHEMA: Final = pa.schema(
    [
        ("first", pa.int64()),
        ("last", pa.int64()),
        ("shape", pa.string()),  # see session_state.shape_text
        ("pattern", pa.string()),  # by which keys were found: the stream must find them so, too
        ("sessions", pa.int64()),
    ]
)
_ENCODE_PIECE = msgspec.msgpack.Encoder().encode
_DECODE_PIECE = msgspec.msgpack.Decoder(Piece).decode


def count_batch(batch: pa.RecordBatch, kept: Container[Pattern] = ()) -> pa.RecordBatch:
    """Return COUNT_SCHEMA rows of an Arrow batch with a column `value`; their `lines` sum to its rows.

    Lines of patterns that are `kept` out of normal time count under the reason KEPT.
    """
    decoded = decode(batch.column("value").to_pylist())
    events = [item for item in decoded if isinstance(item, Event)]
    counts: Counter[tuple[str | None, str | None, str | None, datetime | None, str | None]] = Counter()
    for event, masked in zip(events, masked_texts(events).to_pylist(), strict=True):
        if kept and Pattern("said", generalise(masked), event.service_name) in kept:
            counts[None, None, None, None, KEPT] += 1
        else:
            counts[event.source_type.value, event.service_name, masked, bucket_of(event.timestamp), None] += 1
    for item in decoded:
        if not isinstance(item, Event):
            counts[None, None, None, None, item.reason] += 1
    names = COUNT_SCHEMA.names
    rows = [dict(zip(names, (*key, lines), strict=True)) for key, lines in counts.items()]
    return pa.RecordBatch.from_pylist(rows, COUNT_SCHEMA)


def counted_lines(table: pa.Table) -> tuple[list[CountedLine], int]:
    """Return what to learn from, and how many records could not be decoded."""
    rejected = 0
    lines: list[CountedLine] = []
    for row in table.to_pylist():
        if row["reason"] is not None:
            rejected += row["lines"]
        else:
            fields = (row[name] for name in ("source_type", "service_name", "masked", "bucket", "lines"))
            lines.append(CountedLine(*fields))
    return lines, rejected


def facts_batch(facts: Sequence[Fact]) -> pa.RecordBatch:
    """Return FACT_SCHEMA rows."""
    columns = [[getattr(fact, field.name) for fact in facts] for field in FACT_SCHEMA]
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, FACT_SCHEMA, strict=True)], schema=FACT_SCHEMA
    )


def facts_of(table: pa.Table) -> Iterator[Fact]:
    """Yield the facts of FACT_SCHEMA rows in order of time: the memory they take is that of one Arrow batch."""
    for batch in table.sort_by([("second", "ascending"), ("name", "ascending")]).to_batches(max_chunksize=10_000):
        yield from (Fact(**row) for row in batch.to_pylist())


def pieces_batch(pieces: Sequence[Piece]) -> pa.RecordBatch:
    """Return PIECE_SCHEMA rows."""
    keys, encoded = [piece.key for piece in pieces], [_ENCODE_PIECE(piece) for piece in pieces]
    arrays = [pa.array(keys, pa.string()), pa.array(encoded, pa.binary())]
    return pa.RecordBatch.from_arrays(arrays, schema=PIECE_SCHEMA)


def sessions_batch(pieces: Iterable[Sequence[bytes]], pattern: str) -> pa.RecordBatch:
    """Return SESSION_SCHEMA rows of pieces, those of a key together; equal sessions are counted."""
    counts: Counter[tuple[int, int, str]] = Counter()
    for of_key in pieces:
        for session in join_pieces(map(_DECODE_PIECE, of_key)):
            counts[session.first, session.last, shape_text(session.shape)] += 1
    rows = [(*what, pattern, sessions) for what, sessions in counts.items()]
    return pa.RecordBatch.from_pylist(
        [dict(zip(SESSION_SCHEMA.names, row, strict=True)) for row in rows], SESSION_SCHEMA
    )
