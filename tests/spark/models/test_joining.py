"""The second stage: services over micro-batches, with what their lines say, in any order and after any restart."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pandas as pd
import pytest

from faultline.anomalies import Anomaly, ServiceAnomaly, read_anomaly
from faultline.changes import ChangeEvent, version_change
from faultline.records import Severity, SourceType
from spark.models import joining
from spark.models.features import Fact
from spark.models.fleet import REPEAT_SECONDS, Fleet, Payload
from spark.models.structured import StructuredModel
from spark.models.structured_training import train

START = 1_700_000_000
NORMAL_SECONDS = 600
SERVICES = ("orders", "payments")
MakeEvent = Callable[..., Any]
Rows = list[dict[str, Any]]


def facts(first: int, seconds: int, *, silent: str = "", errors: str = "", seed: int = 1) -> list[Fact]:
    rng, found = random.Random(seed), []
    for second in range(START + first, START + first + seconds):
        for service in SERVICES:
            lines = 0 if service == silent else rng.randint(8, 12)
            failed = lines if service == errors else int(rng.random() < 0.1)
            counts = {"lines:app_container_log": lines, "level:ERROR": failed, "template:ab": lines - failed}
            found += [Fact(service, second, name, float(n), float(n), n) for name, n in counts.items() if n > 0]
    return found


@pytest.fixture(scope="module")
def model() -> StructuredModel:
    trained = train(facts(0, NORMAL_SECONDS), {"ab": "INFO paid <NUM>"}, 1.0)
    trained.version, trained.folder = "v1", "f1"
    return trained


def line(second: float, service: str = "orders", event_id: str = "e1") -> Anomaly:
    moment = datetime.fromtimestamp(START + second, UTC)
    return Anomaly(
        attributes={},
        body="payments is unreachable",
        detector="semantic",
        event_id=event_id,
        host_name="localhost",
        known_template=False,
        model_version="v1",
        nearest_distance=0.6,
        nearest_template="INFO paid <NUM>",
        observed_timestamp=moment,
        p_value=0.01,
        score=0.8,
        service_name=service,
        severity=Severity.ERROR,
        source_type=SourceType.APP_CONTAINER_LOG,
        template="ERROR payments is unreachable",
        template_id="cd",
        timestamp=moment,
        trace_id="",
    )


def batch(found: list[Fact], newest: int, lines: list[Anomaly] | None = None, model: str = "f1") -> pd.DataFrame:
    """Return what the first stage makes of a micro-batch, in two Arrow batches of one partition each."""
    half = len(found) // 2
    payloads = [
        Payload(model, {number: START + newest}, part) for number, part in enumerate((found[:half], found[half:]))
    ]
    rows: Rows = [{"kind": "facts", "record": msgspec.msgpack.encode(payload)} for payload in payloads]
    rows += [{"kind": "event", "event_id": one.event_id, "record": one.to_bytes()} for one in lines or []]
    columns = ("kind", "event_id", "record", "reason", "detail", "topic", "partition", "offset")
    return pd.DataFrame(
        [{name: row.get(name) for name in columns} for row in rows], columns=list(columns), dtype=object
    )


def run(model: StructuredModel, *batches: pd.DataFrame) -> tuple[bytes, Rows]:
    state: bytes | None = None
    written: Rows = []
    for frame in batches:
        state, rows = joining.join(state, frame, {"f1": model})
        written += rows
    assert state is not None
    return state, written


def abnormal(rows: Rows) -> list[str]:
    return [row["service_name"] for row in rows if row["kind"] == "service" and row["is_anomaly"]]


def records(rows: Rows) -> list[ServiceAnomaly]:
    found = [read_anomaly(row["record"]) for row in rows if row["kind"] == "service" and row["record"]]
    return [record for record in found if isinstance(record, ServiceAnomaly)]


def test_normal_time_is_quiet_and_says_what_was_counted(model: StructuredModel) -> None:
    _, rows = run(model, batch(facts(0, 120, seed=5), 120))
    assert abnormal(rows) == []
    assert [row for row in rows if row["kind"] == "state"] == [
        {"kind": "state", "late": 0, "left_out": 0, "recoveries": 0, "accepted": 0, "services": 2}
    ]


def test_a_service_that_falls_silent_is_abnormal_while_another_speaks(model: StructuredModel) -> None:
    _, rows = run(model, batch(facts(0, 60, seed=5), 60), batch(facts(60, 20, silent="payments", seed=6), 80))
    assert set(abnormal(rows)) == {"payments"}
    first = records(rows)[0]
    assert first.detectors == ["structured"]
    assert first.explanation.startswith("payments: ")
    assert any("lines" in moved.feature and moved.value < moved.usual for moved in first.deviations)
    assert first.since <= first.window_start


def test_lines_and_numbers_are_joined_into_one_anomaly(model: StructuredModel) -> None:
    lines = [line(63 + number / 10, event_id=f"e{number}") for number in range(8)]
    broken = facts(60, 10, errors="orders", seed=6)
    _, rows = run(model, batch(facts(0, 60, seed=5), 60), batch(broken, 70, lines))
    joined = next(record for record in records(rows) if record.detectors == ["semantic", "structured"])
    assert joined.lines[0].body == "payments is unreachable"
    assert joined.lines[0].nearest_template == "INFO paid <NUM>"
    assert joined.semantic_p_value == 0.01
    assert joined.p_value == pytest.approx(2 * min(0.01, joined.structured_p_value))
    assert [row["event_id"] for row in rows if row["kind"] == "line"] == [one.event_id for one in lines]


def test_lines_alone_make_a_service_abnormal_but_count_no_abnormal_second(model: StructuredModel) -> None:
    lines = [line(63 + number / 10, event_id=f"e{number}") for number in range(3)]
    _, rows = run(model, batch(facts(0, 60, seed=5), 60), batch(facts(60, 10, seed=6), 70, lines))
    assert abnormal(rows) == []
    assert [record.detectors for record in records(rows)] == [["semantic"]]


def test_two_lines_are_no_anomaly_of_the_service(model: StructuredModel) -> None:
    lines = [line(63, event_id="a"), line(64, event_id="b")]
    _, rows = run(model, batch(facts(0, 60, seed=5), 60), batch(facts(60, 10, seed=6), 70, lines))
    assert records(rows) == []


def test_while_it_lasts_a_record_is_written_every_so_often(model: StructuredModel) -> None:
    broken = batch(facts(60, 100, silent="payments", seed=6), 160)
    _, rows = run(model, batch(facts(0, 60, seed=5), 60), broken)
    ends = [record.window_end for record in records(rows)]
    gaps = {later - earlier for earlier, later in pairwise(ends)}
    assert gaps == {timedelta(seconds=REPEAT_SECONDS)}
    assert len({record.since for record in records(rows)}) == 1


def test_order_within_a_batch_does_not_matter(model: StructuredModel) -> None:
    first = batch(facts(0, 60, seed=5), 60)
    second = batch(facts(60, 20, silent="payments", seed=6), 80, [line(61, event_id="a"), line(62, event_id="b")])
    one = run(model, first, second)
    other = run(model, first.iloc[::-1], second.iloc[::-1])
    decode = msgspec.msgpack.Decoder(Fleet).decode
    assert decode(one[0]) == decode(other[0])
    assert sorted(map(str, one[1])) == sorted(map(str, other[1]))


def test_a_batch_repeated_from_its_state_gives_the_same_rows(model: StructuredModel) -> None:
    state, _ = joining.join(None, batch(facts(0, 60, seed=5), 60), {"f1": model})
    again = batch(facts(60, 20, silent="payments", seed=6), 80)
    assert joining.join(state, again, {"f1": model}) == joining.join(state, again, {"f1": model})


def test_a_partition_that_lags_holds_the_watermark_back(model: StructuredModel) -> None:
    ahead = Payload("f1", {0: START + 500, 1: START + 60}, facts(0, 60, seed=5))
    frame = batch([], 0)
    frame.loc[0, "record"] = msgspec.msgpack.encode(ahead)
    state, _ = joining.join(None, frame.iloc[:1], {"f1": model})
    assert msgspec.msgpack.Decoder(Fleet).decode(state).newest == START + 60


def test_a_new_model_begins_with_no_drift(model: StructuredModel) -> None:
    state, _ = joining.join(None, batch(facts(0, 60, seed=5), 60), {"f1": model})
    successor = train(facts(0, NORMAL_SECONDS), {}, 1.0)
    successor.version, successor.folder = "v2", "f2"
    state, _ = joining.join(state, batch(facts(60, 20, seed=6), 80, model="f2"), {"f2": successor})
    fleet = msgspec.msgpack.Decoder(Fleet).decode(state)
    assert fleet.version == "v2"
    assert {len(drift.shift) for drift in fleet.drifts.values()} == {len(successor.profiles["orders"].names)}


def test_a_service_without_a_profile_is_not_judged(model: StructuredModel) -> None:
    strange = [msgspec.structs.replace(fact, service_name="mail") for fact in facts(0, 60, errors="orders")]
    _, rows = run(model, batch(strange, 60))
    assert [row["kind"] for row in rows] == ["state"]


def test_a_model_without_structured_part_passes_lines_on() -> None:
    _, rows = joining.join(None, batch([], 0, [line(1)]).iloc[2:], {})
    assert [row["kind"] for row in rows] == ["line", "state"]


def test_an_anomaly_that_cannot_be_read_back_is_an_error(model: StructuredModel) -> None:
    frame = batch([], 0, [line(1)])
    frame.loc[2, "record"] = b"{}"
    with pytest.raises(ValueError, match="an anomaly of this very batch cannot be read"):
        joining.join(None, frame, {"f1": model})


def test_set_aside_records_pass_with_their_bytes_and_place() -> None:
    row: Mapping[str, Any] = {
        "kind": "event",
        "event_id": None,
        "record": b"\xff",
        "reason": "not_json",
        "detail": "d",
        "topic": "logs",
        "partition": 1,
        "offset": 7,
        "group": "aside 1",
    }
    passed = joining.pass_on(pd.DataFrame([row]))
    assert list(passed.columns) == list(joining.JOINED_COLUMNS)
    kept = passed.iloc[0][["kind", "record", "reason", "detail", "topic", "partition", "offset"]].to_dict()
    assert kept == {**{name: row[name] for name in kept}, "kind": "dead_letter"}


def test_rows_have_every_column_none_where_they_say_nothing() -> None:
    frame = joining.frame([{"kind": "line", "event_id": "a", "record": b"x"}])
    assert list(frame.columns) == list(joining.JOINED_COLUMNS)
    assert frame.iloc[0]["late"] is None


def test_state_stays_small(model: StructuredModel) -> None:
    state = None
    for first in range(0, 600, 20):
        state, _ = joining.join(state, batch(facts(first, 20, errors="orders", seed=first), first + 20), {"f1": model})
    assert len(state or b"") < 20_000


def test_a_line_that_has_come_for_an_hour_is_left_out_and_counted() -> None:
    state, kinds = None, []
    for minute in range(70):
        state, rows = joining.join(state, batch([], 0, [line(60 * minute, event_id=str(minute))]).iloc[2:], {})
        kinds.append([row["kind"] for row in rows])
    assert kinds[59] == ["line", "state"]
    assert kinds[60:] == [["state"]] * 10
    assert rows[-1]["accepted"] == 10


def versions(*seen: tuple[int, str, str], changes: tuple[ChangeEvent, ...] = ()) -> pd.DataFrame:
    """Return a micro-batch in which services say what they run: (second, service, version), an Arrow batch each."""
    payloads = [
        Payload("f1", {0: START + second}, [], list(changes) if not place else [], {service: (START + second, version)})
        for place, (second, service, version) in enumerate(seen)
    ]
    rows = [{"kind": "facts", "record": msgspec.msgpack.encode(payload)} for payload in payloads]
    return pd.DataFrame(rows, columns=["kind", "event_id", "record", "reason"], dtype=object)


def starts(second: int, **began: float) -> pd.DataFrame:
    """Return a micro-batch in which services' metrics say when their process began."""
    payload = Payload("f1", {0: START + second}, [], starts={name: START + at for name, at in began.items()})
    rows = [{"kind": "facts", "record": msgspec.msgpack.encode(payload)}]
    return pd.DataFrame(rows, columns=["kind", "event_id", "record", "reason"], dtype=object)


def told(rows: Rows) -> list[str]:
    return [ChangeEvent.from_bytes(row["record"]).text for row in rows if row["kind"] == joining.CHANGE]


def test_service_that_runs_another_version_is_a_change_once(model: StructuredModel) -> None:
    first, second = versions((1, "orders", "1.0"), (1, "payments", "1.0")), versions((2, "orders", "1.1"))
    state, rows = run(model, first, second, second)
    assert told(rows) == ["orders runs version 1.1, before 1.0"]
    _, again = joining.join(state, versions((9, "orders", "1.1"), (8, "orders", "1.0")), {"f1": model})
    assert told(again) == []


def test_service_whose_process_began_anew_is_a_change_at_that_moment(model: StructuredModel) -> None:
    state, rows = run(model, starts(1, orders=-60.0, payments=-60.0), starts(6, orders=4.5, payments=-60.0))
    (change,) = [ChangeEvent.from_bytes(row["record"]) for row in rows if row["kind"] == joining.CHANGE]
    assert (change.text, change.at) == ("orders was started", datetime.fromtimestamp(START + 4.5, UTC))
    # While two instances run side by side, the older one is told of now and then.
    _, again = joining.join(state, starts(9, orders=-60.0), {"f1": model})
    _, same = joining.join(state, starts(9, orders=4.5), {"f1": model})
    assert (told(again), told(same)) == ([], [])


def test_changes_pass_through_in_order_of_time(model: StructuredModel) -> None:
    commits = [version_change("orders", datetime.fromtimestamp(START + at, UTC), "1.0", f"1.{at}") for at in (5, 3)]
    _, rows = run(model, versions((1, "orders", "1.0"), changes=tuple(commits)))
    assert told(rows) == [change.text for change in reversed(commits)]
    ids = [row["event_id"] for row in rows if row["kind"] == joining.CHANGE]
    assert ids == [change.event_id for change in reversed(commits)]
