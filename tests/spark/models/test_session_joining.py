"""The second stage of sessions: planted faults come out as records, normal sessions do not, memory is bounded."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pandas as pd
import pyarrow as pa
import pytest

from faultline.anomalies import SessionAnomaly, read_anomaly
from spark.models import session_state
from spark.models.counting import pieces_batch, sessions_batch
from spark.models.drift import RECOVERY_SECONDS
from spark.models.session_joining import MAX_RECORDS, join_sessions
from spark.models.session_model import DETECTOR, SessionModel
from spark.models.session_state import SessionPayload, cut_pieces
from spark.models.session_training import train

START = 1_700_000_000
Line = tuple[int, str, str, str]  # second, key, service, template
STEPS = (("nginx", "post"), ("orders", "placed"), ("payments", "charged"), ("inventory", "reserved"))


def session(second: int, key: str, *, without: str = "", extra: tuple[tuple[str, str], ...] = ()) -> list[Line]:
    """Return the lines of an order, one step left out, others added."""
    steps = [step for step in STEPS if step[1] != without]
    return [(second, key, service, template) for service, template in (*steps, *extra)]


def payload(lines: list[Line], newest: int) -> SessionPayload:
    keys, services, templates = ([line[place] for line in lines] for place in (1, 2, 3))
    pieces = cut_pieces(keys, [START + second for second, *_ in lines], services, templates)
    return SessionPayload("folder", {0: START + newest}, pieces)


def rows_of(*payloads: SessionPayload) -> pd.DataFrame:
    return pd.DataFrame({"record": [msgspec.msgpack.encode(payload) for payload in payloads]})


@pytest.fixture(scope="module")
def models() -> dict[str, SessionModel | None]:
    lines = [line for second in range(300) for line in session(second, f"n{second}")]
    pieces = pieces_batch(payload(lines, 300).pieces)
    table = sessions_batch([[piece] for piece in pieces.column("piece").to_pylist()], "")
    writers = {template: service for service, template in STEPS}
    model = train(pa.Table.from_batches([table]), writers, {"charged": "INFO charged <NUM> EUR"}, 1 / 3)
    assert model is not None
    return {"folder": model}


def run(models: dict[str, SessionModel | None], *batches: list[SessionPayload]) -> list[dict[str, Any]]:
    """Return all rows of a stream of micro-batches that began well before."""
    state, rows = None, []
    for batch in [[payload([(-100, "begin", "nginx", "post")], -100)], *batches]:
        state, found = join_sessions(state, rows_of(*batch), models)
        rows += found
    return rows


def anomalies(rows: list[dict[str, Any]]) -> list[SessionAnomaly]:
    records = [read_anomaly(row["record"]) for row in rows if row.get("record")]
    return [record for record in records if isinstance(record, SessionAnomaly)]


def test_planted_faults_are_told_and_normal_sessions_are_not(models: dict[str, SessionModel | None]) -> None:
    lines = [line for second in range(30) for line in session(second, f"k{second}")]
    lines += session(5, "short", without="charged") + session(6, "odd", extra=(("orders", "unknown"),) * 2)
    rows = run(models, [payload(lines, 30)], [payload([], 100)])
    found = {record.session_key: record for record in anomalies(rows)}
    assert sorted(found) == ["odd", "short"]
    short, odd = found["short"], found["odd"]
    # What is missing is missed at the service that usually writes it.
    assert (short.service_name, odd.service_name) == ("payments", "orders")
    assert short.explanation == 'session short: "INFO charged <NUM> EUR" 0 times instead of 1'
    assert odd.explanation == 'session odd: "lines that sessions never had" 2 times instead of 0'
    assert short.services == ["inventory", "nginx", "orders"]
    assert (short.first.timestamp(), short.last.timestamp()) == (START + 5, START + 5)
    counted = [(row["service_name"], row["detector"], row["is_anomaly"]) for row in rows if row["kind"] == DETECTOR]
    assert sorted(counted) == [("orders", DETECTOR, True), ("payments", DETECTOR, True)]


def test_the_order_of_rows_and_lines_is_irrelevant(models: dict[str, SessionModel | None]) -> None:
    lines = [line for number in range(40) for line in session(number, f"k{number}", without="charged")]
    mixed = random.Random(0).sample(lines, len(lines))
    halves = [payload(mixed[:80], 50), payload(mixed[80:], 50)]
    one = run(models, [payload(lines, 50)], [payload([], 200)])
    assert run(models, halves, [payload([], 200)]) == one
    assert run(models, halves[::-1], [payload([], 200)]) == one


def test_a_repeated_batch_gives_the_same_records(models: dict[str, SessionModel | None]) -> None:
    batches = [payload(session(1, "short", without="charged"), 1)], [payload([], 100)]
    first, second = anomalies(run(models, *batches)), anomalies(run(models, *batches))
    assert [record.to_bytes() for record in first] == [record.to_bytes() for record in second] != []


def test_of_many_abnormal_sessions_some_are_written_and_all_are_counted(models: dict[str, SessionModel | None]) -> None:
    lines = [line for number in range(50) for line in session(1, f"k{number}", without="charged")]
    worst = session(1, "worst", extra=(("orders", "unknown"),) * 9)
    rows = run(models, [payload(lines + worst, 1)], [payload([], 100)])
    assert sum(row["kind"] == DETECTOR for row in rows) == 51
    written = [record.session_key for record in anomalies(rows)]
    assert (len(written), "worst" in written) == (MAX_RECORDS, True)


def test_what_the_state_left_out_is_counted(models: dict[str, SessionModel | None]) -> None:
    late = [payload(session(10, "late", without="charged"), 41)]
    rows = run(models, [payload(session(0, "k"), 40)], late)
    states = [row for row in rows if row["kind"] == "state"]
    assert (states[-1]["sessions_late"], states[-1]["sessions_open"], states[-1]["sessions_early"]) == (1, 1, 0)
    assert anomalies(rows) == []


def test_sessions_that_keep_coming_become_normal(models: dict[str, SessionModel | None]) -> None:
    hours = int(2 * RECOVERY_SECONDS)
    batches = [[payload(session(second, f"k{second}", without="charged"), second)] for second in range(0, hours, 300)]
    rows = run(models, *batches, [payload([], hours + 100)])
    told = [record.last.timestamp() - START for record in anomalies(rows)]
    assert told == list(range(0, int(RECOVERY_SECONDS), 300))
    assert rows[-1]["sessions_accepted"] == hours // 300 - len(told)


def test_a_model_without_sessions_judges_none(models: dict[str, SessionModel | None]) -> None:
    rows = run({"folder": None}, [payload(session(0, "k"), 0)])
    assert [row["kind"] for row in rows] == ["state", "state"]


def test_state_stays_within_its_bound(models: dict[str, SessionModel | None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_state, "MAX_OPEN", 10)
    state, sizes = None, []
    for second in range(20):
        lines = [line for number in range(20) for line in session(second, f"{second:04} {number:04}")]
        state, _ = join_sessions(state, rows_of(payload(lines, second)), models)
        sizes.append(len(state))
    assert max(sizes) < 1.1 * min(sizes)
