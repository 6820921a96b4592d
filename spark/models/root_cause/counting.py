"""Requests as Arrow rows, and counts of their steps and calls: what Spark hands from stage to stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from faultline.records import Event
from spark.models.root_cause.calls import Part
from spark.models.root_cause.flow import Counts, FlowLine, Step, count_steps
from spark.models.root_cause.naming import TemplateNames
from spark.models.root_cause.requests import flow_lines, request_parts
from spark.models.scoring import decode

BUCKET_SECONDS: Final = 5  # windows of any multiple can be put together from it
MAX_LINES: Final = 1000  # of a request; a longer one is a batch job, and its first lines tell what it does
REQUEST_SCHEMA: Final = pa.schema(
    [
        ("request", pa.string()),
        ("service_name", pa.string()),
        ("template", pa.string()),
        ("operation", pa.string()),
        ("begin", pa.float64()),  # Unix time in seconds
        ("end", pa.float64()),
    ]
)
STEP_SCHEMA: Final = pa.schema(
    [
        ("bucket", pa.int64()),  # Unix time of its begin, a multiple of BUCKET_SECONDS
        ("service_name", pa.string()),
        ("before", pa.string()),
        ("after", pa.string()),
        ("taken", pa.int64()),
    ]
)


def request_batch(names: TemplateNames, batch: pa.RecordBatch, pattern: str) -> pa.RecordBatch:
    """Return REQUEST_SCHEMA rows of an Arrow batch with a column `value`: of the lines that belong to a request."""
    events = [event for event in decode(batch.column("value").to_pylist()) if isinstance(event, Event)]
    flow = flow_lines(events, names.ids(events), pattern)
    rows = [
        (line.request, line.service_name, line.template, line.operation, part.begin, part.end)
        for line, part in zip(flow, request_parts(events, pattern), strict=True)
    ]
    columns = zip(*rows, strict=True) if rows else [[] for _ in REQUEST_SCHEMA]
    arrays = [pa.array(list(column), field.type) for column, field in zip(columns, REQUEST_SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=REQUEST_SCHEMA)


def step_batch(requests: Iterable[Sequence[Mapping[str, Any]]]) -> pa.RecordBatch:
    """Return STEP_SCHEMA rows of whole requests, each counted in the bucket in which it began."""
    counts: Counter[tuple[int, Step]] = Counter()
    for rows in requests:
        first = int(min(row["begin"] for row in rows))
        bucket = first - first % BUCKET_SECONDS
        for step, taken in count_steps(map(_line, rows[:MAX_LINES])).items():
            counts[bucket, step] += taken
    found = [
        dict(zip(STEP_SCHEMA.names, (bucket, *step, taken), strict=True)) for (bucket, step), taken in counts.items()
    ]
    return pa.RecordBatch.from_pylist(found, STEP_SCHEMA)


def steps_by_bucket(table: pa.Table) -> dict[int, Counts]:
    """Return the counts of STEP_SCHEMA rows by bucket, in order of time."""
    found: dict[int, Counts] = {}
    for row in table.sort_by("bucket").to_pylist():
        step = Step(row["service_name"], row["before"], row["after"])
        found.setdefault(row["bucket"], Counter())[step] += row["taken"]
    return found


def parts_of(requests: pa.Table) -> list[Part]:
    """Return REQUEST_SCHEMA rows as parts of requests."""
    columns = [requests[name].to_pylist() for name in ("service_name", "request", "begin", "end")]
    return [Part(*values) for values in zip(*columns, strict=True)]


def windows_of(buckets: Mapping[int, Counts], seconds: int) -> list[Counts]:
    """Return the buckets put together to windows of so many seconds, a multiple of BUCKET_SECONDS."""
    windows: dict[int, Counts] = {}
    for bucket, counts in buckets.items():
        windows.setdefault(bucket // seconds, Counter()).update(counts)
    return [windows[key] for key in sorted(windows)]


def _line(row: Mapping[str, Any]) -> FlowLine:
    return FlowLine(row["service_name"], row["request"], row["end"], row["template"], row["operation"])
