"""One row out for each record in: scored or set aside, in order, with the original bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultline.anomalies import Anomaly
from faultline.records import DEAD_LETTER_REASONS, MAX_RECORD_BYTES, Event, SourceType
from spark.models import scoring
from spark.models.scoring import OUTCOME_SCHEMA, score_batch
from spark.models.semantic import SemanticModel

MakeEvent = Callable[..., Event]


def batch_of(values: Sequence[bytes | None]) -> pa.RecordBatch:
    """Return a batch as Spark hands it over: one topic, offsets counted from 100."""
    n = len(values)
    return pa.RecordBatch.from_pydict(
        {
            "value": pa.array(values, pa.binary()),
            "topic": pa.array(["logs"] * n, pa.string()),
            "partition": pa.array([1] * n, pa.int32()),
            "offset": pa.array(range(100, 100 + n), pa.int64()),
        }
    )


def score(model: SemanticModel, *values: bytes | None) -> list[dict[str, Any]]:
    outcomes = score_batch(model, batch_of(values))
    assert outcomes.schema == OUTCOME_SCHEMA
    outcomes.validate(full=True)
    return list(outcomes.to_pylist())


@pytest.fixture(scope="module")
def warm(model_folder: Path) -> SemanticModel:
    """A loaded model shared by the tests of this module."""
    return scoring.load_model(str(model_folder))


@given(st.data())
@settings(max_examples=40)
def test_every_record_is_scored_or_set_aside_in_order(
    warm: SemanticModel, event: MakeEvent, data: st.DataObject
) -> None:
    bodies = st.sampled_from(["order 5 placed for customer 7: 3 items", "kernel panic", "\0", "\ufffd \U0001f600", "."])
    good = st.builds(
        lambda body, kind: event(body=body, source_type=kind).to_bytes(), bodies, st.sampled_from(SourceType)
    )
    values = data.draw(st.lists(good | st.binary(max_size=20) | st.none(), max_size=20))
    rows = score(warm, *values)
    assert [row["offset"] for row in rows] == list(range(100, 100 + len(values)))
    for value, row in zip(values, rows, strict=True):
        if row["reason"] is None:
            assert row["event_id"] == Event.from_bytes(value).event_id
            assert (row["record"] is not None) == row["is_anomaly"]
        else:
            assert row["reason"] in DEAD_LETTER_REASONS
            assert (row["record"], row["event_id"], row["score"]) == (value or b"", None, None)


def test_an_empty_batch_has_the_schema_and_no_rows(warm: SemanticModel) -> None:
    assert score(warm) == []


def test_an_ordinary_line_is_scored_and_leaves_no_record(warm: SemanticModel, event: MakeEvent) -> None:
    (row,) = score(warm, event().to_bytes())
    assert (row["known_template"], row["score"], row["p_value"], row["is_anomaly"]) == (True, 0.0, 1.0, False)
    assert (row["record"], row["reason"], row["source_type"]) == (None, None, "app_container_log")
    assert (row["timestamp"], row["observed_timestamp"]) == (event().timestamp, event().observed_timestamp)


def test_an_anomaly_keeps_what_a_person_needs(warm: SemanticModel, event: MakeEvent) -> None:
    line = event(body="payments failed: connection refused 111", severity="ERROR", event_id="e9", attributes={"a": "b"})
    (row,) = score(warm, line.to_bytes())
    anomaly = Anomaly.from_bytes(row["record"])
    kept = ("attributes", "body", "event_id", "host_name", "observed_timestamp", "service_name", "severity")
    for name in (*kept, "source_type", "timestamp", "trace_id"):
        assert getattr(anomaly, name) == getattr(line, name)
    assert anomaly.template == "ERROR payments failed: connection refused <NUM>"
    assert (anomaly.score, anomaly.p_value) == (pytest.approx(row["score"]), row["p_value"])
    assert (anomaly.detector, anomaly.model_version, anomaly.known_template) == ("semantic", warm.version, False)
    assert anomaly.nearest_template in warm.references


def test_original_bytes_are_kept_as_they_came(warm: SemanticModel) -> None:
    values = [b"\xff\x00\xfe", b"", b" {", b"[" * 5000]
    rows = score(warm, *values)
    assert [row["record"] for row in rows] == values
    assert [row["reason"] for row in rows] == ["not_json", "not_json", "not_json", "wrong_type"]


def test_equal_texts_of_two_source_types_are_decided_apart(warm: SemanticModel, event: MakeEvent) -> None:
    values = [event(body="x", source_type=kind, event_id=kind.value).to_bytes() for kind in SourceType]
    rows = score(warm, *values)
    assert [row["source_type"] for row in rows] == [kind.value for kind in SourceType]
    assert [row["event_id"] for row in rows] == [kind.value for kind in SourceType]


def test_a_detail_is_cut(warm: SemanticModel, event: MakeEvent) -> None:
    value = json.dumps({**json.loads(event().to_bytes()), "severity": "S" * 100_000}).encode()
    (row,) = score(warm, value)
    assert (row["reason"], len(row["detail"]), row["record"]) == ("bad_value", 500, value)


def test_a_record_is_set_aside_with_as_much_as_the_topic_takes(warm: SemanticModel) -> None:
    just, beyond = b"x" * scoring.MAX_KEPT_BYTES, b"y" * (scoring.MAX_KEPT_BYTES + 1)
    rows = score(warm, just, beyond)
    assert rows[0]["record"] == just
    assert rows[1]["record"] == beyond[:-1]
    assert [row["reason"] for row in rows] == ["too_large", "too_large"]
    assert rows[1]["detail"] == f"{len(beyond)} bytes, expected at most {MAX_RECORD_BYTES}"


def test_three_thousand_unique_lines_are_all_scored(warm: SemanticModel, event: MakeEvent) -> None:
    letters = "abcdefghij"
    bodies = [" ".join(letters[int(digit)] * 3 for digit in f"{number:05}") for number in range(3000)]
    rows = score(warm, *(event(body=body).to_bytes() for body in bodies))
    assert {row["reason"] for row in rows} == {None}
    assert len({row["template_id"] for row in rows}) == 3000


def test_a_model_is_loaded_once_a_process(model_folder: Path) -> None:
    assert scoring.load_model(str(model_folder)) is scoring.load_model(str(model_folder))
