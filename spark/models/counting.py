"""Training input: equal masked lines counted per source type, service and time bucket."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Final

import pyarrow as pa

from faultline.records import Event
from spark.models.buckets import bucket_of
from spark.models.scoring import decode, masked_texts
from spark.models.semantic_training import CountedLine

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


def count_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return COUNT_SCHEMA rows of an Arrow batch with a column `value`; their `lines` sum to its rows."""
    decoded = decode(batch.column("value").to_pylist())
    events = [item for item in decoded if isinstance(item, Event)]
    counts: Counter[tuple[str | None, str | None, str | None, datetime | None, str | None]] = Counter()
    for event, masked in zip(events, masked_texts(events).to_pylist(), strict=True):
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
