"""What the first stage tells the second: every shard hears of the time, every key has one shard."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from faultline.records import Event, SourceType
from spark.models.fleet import Payload
from spark.models.payloads import FACTS, SESSIONS, SHARDS, ScoredLines, payload_rows
from spark.models.session_model import SessionModel
from spark.models.session_state import SessionPayload
from spark.models.sessions import SessionVocabulary
from spark.models.structured import StructuredModel
from spark.models.threshold import ConformalThreshold

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
MakeEvent = Callable[..., Event]


def lines_of(events: list[Event], known: bool = True, routine: bool = False) -> ScoredLines:
    n = len(events)
    return ScoredLines(events, [NOON] * n, [i % 2 for i in range(n)], ["ab"] * n, [known] * n, [routine] * n)


@pytest.fixture
def structured() -> StructuredModel:
    return StructuredModel({}, {}, {}, {"ab": "INFO x"})


@pytest.fixture
def sessions() -> SessionModel:
    threshold = ConformalThreshold(None, None, 0, 1.0, 1.0)  # type: ignore[arg-type]
    neighbour = None  # the first stage asks for nothing but the pattern
    return SessionModel(SessionVocabulary((), (), 0, 0), neighbour, threshold, 0.0, {}, {}, "", "v", "f")  # type: ignore[arg-type]


def payloads(lines: ScoredLines, sessions: SessionModel) -> dict[int, SessionPayload]:
    decode = msgspec.msgpack.Decoder(SessionPayload).decode
    return {row["partition"]: decode(row["record"]) for row in payload_rows(lines, None, sessions)}


def test_a_model_has_the_rows_of_its_parts(
    event: MakeEvent, structured: StructuredModel, sessions: SessionModel
) -> None:
    lines = lines_of([event()])
    assert payload_rows(lines, None, None) == []
    assert [row["kind"] for row in payload_rows(lines, structured, None)] == [FACTS]
    assert [row["kind"] for row in payload_rows(lines, structured, sessions)] == [FACTS, *[SESSIONS] * SHARDS]
    assert payload_rows(lines_of([]), structured, sessions) == []


def test_every_shard_hears_of_the_time(event: MakeEvent, sessions: SessionModel) -> None:
    early = event(timestamp=NOON - timedelta(seconds=5), trace_id="7f")
    found = payloads(lines_of([early, event()]), sessions)
    noon = int(NOON.timestamp())
    assert sorted(found) == list(range(SHARDS))
    assert all(payload.marks == {0: noon - 5, 1: noon} for payload in found.values())
    assert [piece.key for payload in found.values() for piece in payload.pieces] == ["7f"]


def test_a_key_has_one_shard_and_keys_are_spread(event: MakeEvent, sessions: SessionModel) -> None:
    events = [event(trace_id=f"k{number % 40}") for number in range(80)]
    found = payloads(lines_of(events), sessions)
    keys = {shard: {piece.key for piece in payload.pieces} for shard, payload in found.items()}
    assert sum(map(len, keys.values())) == 40
    assert all(keys.values())


def test_a_line_without_a_template_is_an_unknown_one(event: MakeEvent, sessions: SessionModel) -> None:
    found = payloads(lines_of([event(trace_id="7f")], known=False), sessions)
    (piece,) = [piece for payload in found.values() for piece in payload.pieces]
    assert piece.counts == {"orders": {"unknown": 1}}


def test_routine_lines_are_no_fact_and_no_piece(event: MakeEvent) -> None:
    events = [event(trace_id="a" * 32)]
    told = lines_of(events, known=False, routine=True)
    assert not [fact for fact in told.facts(None) if fact.name.startswith("template:")]
    assert told.pieces("") == []
    assert lines_of(events, known=False).pieces("") != []


def test_changes_and_versions_travel_with_the_facts(event: MakeEvent, structured: StructuredModel) -> None:
    def health(second: int, version: str, **fields: object) -> Event:
        moment = NOON + timedelta(seconds=second)
        told = {"attributes": {"service.version": version}, "timestamp": moment, "observed_timestamp": moment}
        return event(**{"source_type": SourceType.FASTAPI_STATUS, "service_name": "orders", **told, **fields})

    commit = event(source_type=SourceType.GITHUB_COMMITS, body="Round amounts")
    own_word = health(-1, "9.9", source_type=SourceType.APP_CONTAINER_LOG)  # a line may say anything
    page = {"source_type": SourceType.APP_CONTAINER_METRICS, "service_name": "orders"}
    metrics = [event(**page, measures={"process_start_time_seconds": began}) for began in (5.0, 9.0, 7.0)]
    events = [*metrics, health(-2, "1.1"), commit, health(-3, "1.0"), health(-1, ""), own_word, event(body="tick")]
    (row,) = payload_rows(lines_of(events), structured, None)
    payload = msgspec.msgpack.decode(row["record"], type=Payload)
    assert [change.text for change in payload.changes] == ["Round amounts"]
    assert payload.versions == {"orders": (int(NOON.timestamp()) - 2, "1.1")}
    assert payload.starts == {"orders": 9.0}
