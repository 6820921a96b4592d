"""Requests as rows, steps as counts, the same however the rows are cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from faultline.catalog.graph import Edge
from faultline.records import Event
from spark.models.root_cause.calls import learn_edges
from spark.models.root_cause.counting import (
    BUCKET_SECONDS,
    MAX_LINES,
    REQUEST_SCHEMA,
    STEP_SCHEMA,
    parts_of,
    request_batch,
    step_batch,
    steps_by_bucket,
    windows_of,
)
from spark.models.root_cause.flow import END, Step
from spark.models.root_cause.naming import TemplateNames
from spark.models.templates import TemplateTree, template_id

MakeEvent = Callable[..., Event]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


NAMES = TemplateNames(TemplateTree(["INFO order placed", "INFO card charged"]))
PLACED, CHARGED = (template_id(text) for text in sorted(["INFO order placed", "INFO card charged"], reverse=True))


def batch(event: MakeEvent) -> pa.RecordBatch:
    events = []
    for number in range(10):
        trace, end = f"7f{number}", NOON + timedelta(seconds=number)
        inner = end - timedelta(milliseconds=20)
        known = {"trace_id": trace, "severity": "INFO"}
        events += [
            event(
                **{
                    **known,
                    "service_name": "orders",
                    "body": "order placed",
                    "timestamp": end,
                    "observed_timestamp": end,
                },
                measures={"duration_ms": 100.0},
                attributes={"http.route": "/o"},
            ),
            event(
                **{**known, "service_name": "payments", "body": "card charged", "timestamp": inner},
                observed_timestamp=end,
                measures={"duration_ms": 50.0},
            ),
            event(service_name="worker", trace_id="", timestamp=end, observed_timestamp=end),
        ]
    values = pa.array([*(item.to_bytes() for item in events), b"no record"], pa.binary())
    return pa.RecordBatch.from_arrays([values], ["value"])


def by_request(rows: pa.RecordBatch) -> list[list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = {}
    for row in rows.to_pylist():
        found.setdefault(row["request"], []).append(row)
    return list(found.values())


def test_lines_of_requests_become_rows(event: MakeEvent) -> None:
    rows = request_batch(NAMES, batch(event), "")
    assert rows.schema == REQUEST_SCHEMA
    assert rows.num_rows == 20
    first = rows.to_pylist()[0]
    assert (first["service_name"], first["template"], first["operation"]) == ("orders", PLACED, "/o")
    assert round(first["end"] - first["begin"], 6) == 0.1


def test_no_line_of_a_request_is_no_row() -> None:
    nothing = pa.RecordBatch.from_arrays([pa.array([], pa.binary())], ["value"])
    assert request_batch(NAMES, nothing, "").num_rows == 0
    assert step_batch([]).schema == STEP_SCHEMA


def test_steps_are_counted_in_the_bucket_in_which_the_request_began(event: MakeEvent) -> None:
    table = pa.Table.from_batches([step_batch(by_request(request_batch(NAMES, batch(event), "")))])
    buckets = steps_by_bucket(table)
    assert all(bucket % BUCKET_SECONDS == 0 for bucket in buckets)
    assert list(buckets) == sorted(buckets)
    total: Counter[Step] = Counter()
    for counts in buckets.values():
        total.update(counts)
    assert total[Step("orders", "^/o", PLACED)] == total[Step("payments", CHARGED, END)] == 10
    (whole,) = windows_of(buckets, 10**10)
    assert whole == total
    assert sum(sum(window.values()) for window in windows_of(buckets, 10)) == sum(total.values())


def test_calls_are_learned_from_rows(event: MakeEvent) -> None:
    table = pa.Table.from_batches([request_batch(NAMES, batch(event), "")])
    assert learn_edges(parts_of(table)) == [Edge("orders", "payments", 10)]


def test_very_long_request_is_cut() -> None:
    row = {"request": "r", "service_name": "batch", "operation": "", "begin": 0.0}
    rows = [{**row, "template": f"t{i}", "end": float(i)} for i in range(MAX_LINES + 50)]
    assert step_batch([rows]).num_rows == MAX_LINES + 1
