"""Training input adds up: every record is counted once, decoded or not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from faultline.feedback import Pattern
from faultline.records import Event
from spark.models.buckets import bucket_of
from spark.models.counting import (
    COUNT_SCHEMA,
    KEPT,
    SESSION_SCHEMA,
    count_batch,
    counted_lines,
    pieces_batch,
    sessions_batch,
)
from spark.models.session_state import cut_pieces

MakeEvent = Callable[..., Event]


def batch_of(values: list[bytes | None]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"value": pa.array(values, pa.binary())})


@given(st.data())
def test_lines_sum_to_the_records(event: MakeEvent, data: st.DataObject) -> None:
    good = st.sampled_from(["order 5 placed", "order 6 placed", "no stock"]).map(
        lambda body: event(body=body).to_bytes()
    )
    values = data.draw(st.lists(good | st.binary(max_size=20) | st.none(), max_size=30))
    counted = count_batch(batch_of(values))
    assert counted.schema == COUNT_SCHEMA
    assert sum(counted.column("lines").to_pylist()) == len(values)
    lines, rejected = counted_lines(pa.Table.from_batches([counted]))
    assert sum(line.lines for line in lines) + rejected == len(values)


def test_equal_masked_lines_of_a_bucket_are_one_row(event: MakeEvent) -> None:
    values = [event(body=f"order {number} placed").to_bytes() for number in range(5)]
    (row,) = count_batch(batch_of(values)).to_pylist()
    assert (row["masked"], row["service_name"], row["lines"]) == ("INFO order <NUM> placed", "orders", 5)


def test_source_type_service_and_bucket_are_kept_apart(event: MakeEvent) -> None:
    later = datetime(2026, 1, 2, 12, 0, 5, tzinfo=UTC)
    changes = ({}, {"source_type": "nginx_error"}, {"service_name": "payments"}, {"timestamp": later})
    values = [event(**change).to_bytes() for change in changes]
    assert [row["lines"] for row in count_batch(batch_of(values)).to_pylist()] == [1, 1, 1, 1]


def test_lines_that_an_operator_called_signs_of_a_fault_are_not_learned_from(event: MakeEvent) -> None:
    values = [event(body=body).to_bytes() for body in ("disk is full", "disk is full", "order 5 placed")]
    kept = {Pattern("said", "INFO disk is full", "orders"), Pattern("said", "INFO order <*> placed", "payments")}
    counted = count_batch(batch_of(values), kept)
    lines, rejected = counted_lines(pa.Table.from_batches([counted]))
    assert [(line.masked, line.lines) for line in lines] == [("INFO order <NUM> placed", 1)]
    assert rejected == 2
    assert KEPT in counted.column("reason").to_pylist()


def test_what_cannot_be_decoded_counts_under_its_reason() -> None:
    rows = count_batch(batch_of([b"x", b"[]", None, b"y"])).to_pylist()
    assert {row["reason"]: row["lines"] for row in rows} == {"not_json": 3, "wrong_type": 1}


def test_an_empty_batch_has_no_rows() -> None:
    assert count_batch(batch_of([])).num_rows == 0


@given(st.datetimes(datetime(2000, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC)))
def test_a_time_lies_in_its_bucket(moment: datetime) -> None:
    bucket = bucket_of(moment)
    assert bucket <= moment < bucket + timedelta(seconds=5)
    assert bucket_of(bucket) == bucket


def test_equal_sessions_are_one_row_whatever_the_cuts() -> None:
    lines = [(key, second, "orders", template) for key in ("k1", "k2") for second, template in ((10, "a"), (12, "b"))]
    parts = [pieces_batch(cut_pieces(*zip(*part, strict=True))).to_pylist() for part in (lines[:3], lines[3:])]
    by_key = [[row["piece"] for part in parts for row in part if row["key"] == key] for key in ("k1", "k2")]
    batch = sessions_batch(by_key, "p")
    assert batch.schema == SESSION_SCHEMA
    assert batch.to_pylist() == [{"first": 10, "last": 12, "shape": "a*1 b*1", "pattern": "p", "sessions": 2}]
