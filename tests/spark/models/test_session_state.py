"""Sessions are cut the same however their lines arrive, and no key takes more memory than it may."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark.models import session_state
from spark.models.session_state import (
    FURTHER,
    IDLE_SECONDS,
    MAX_KINDS,
    OpenSessions,
    Piece,
    SessionPayload,
    cut_pieces,
    join_pieces,
    read_shape,
    shape_text,
)
from spark.models.windows import DELAY_SECONDS, MAX_GAP_SECONDS

START = 1_700_000_000
Line = tuple[int, str, str]  # second, key, template

lines_in_order = st.lists(
    st.tuples(st.integers(0, 300), st.sampled_from(["k1", "k2", "k3"]), st.sampled_from("abc")), max_size=40
).map(sorted)


def pieces_of(lines: list[Line]) -> list[Piece]:
    return cut_pieces(
        [key for _, key, _ in lines],
        [START + second for second, _, _ in lines],
        ["orders"] * len(lines),
        [template for *_, template in lines],
    )


def payload(lines: list[Line], newest: int, partition: int = 0) -> SessionPayload:
    return SessionPayload("v", {partition: START + newest}, pieces_of(lines))


def told(pieces: list[Piece]) -> list[tuple[str, int, int, str]]:
    return sorted((piece.key, piece.first - START, piece.last - START, shape_text(piece.shape)) for piece in pieces)


def begun() -> OpenSessions:
    """Return a state that began so long ago that every session can be judged."""
    state = OpenSessions()
    state.take([payload([(-100, "old", "a")], -100)], "v")
    return state


def stream(batches: list[list[SessionPayload]]) -> list[Piece]:
    """Return what a state closes, micro-batch by micro-batch."""
    state, closed = begun(), []
    for batch in batches:
        state.take(batch, "v")
        closed += state.close()
    return [piece for piece in closed if piece.key != "old"]


def test_a_key_that_is_silent_for_longer_begins_a_new_piece() -> None:
    lines = [(0, "k", "a"), (IDLE_SECONDS, "k", "b"), (2 * IDLE_SECONDS + 1, "k", "a")]
    assert told(pieces_of(lines)) == [("k", 0, 30, "a*1 b*1"), ("k", 61, 61, "a*1")]


def test_lines_without_a_key_are_of_no_session() -> None:
    assert pieces_of([(0, "", "a")]) == []


@given(lines_in_order, st.lists(st.integers(0, 40), max_size=5))
def test_pieces_of_parts_join_into_the_pieces_of_all(lines: list[Line], cuts: list[int]) -> None:
    bounds = [0, *sorted(cuts), len(lines)]
    parts = [piece for a, b in pairwise(bounds) for piece in pieces_of(lines[a:b])]
    keys = sorted({piece.key for piece in parts})
    joined = [piece for key in keys for piece in join_pieces(p for p in reversed(parts) if p.key == key)]
    assert told(joined) == told(pieces_of(lines))


@given(lines_in_order, st.lists(st.integers(0, 40), max_size=5), st.randoms())
def test_batch_and_stream_give_the_same_sessions(lines: list[Line], cuts: list[int], random: object) -> None:
    bounds = [0, *sorted(min(cut, len(lines)) for cut in cuts), len(lines)]
    batches = []
    for a, b in pairwise(bounds):
        part = lines[a:b]
        mark = max((second for second, *_ in part), default=-100)
        halves = [payload(part[::2], mark), payload(part[1::2], mark)]
        random.shuffle(halves)  # type: ignore[attr-defined]
        batches.append(halves)
    batches.append([payload([], 1000)])
    # Longer silence than MAX_GAP_SECONDS would drop what is open; the last batch comes as late as that in steps.
    batches.insert(-1, [payload([], 500)])
    assert told(stream(batches)) == told(pieces_of(lines))


def test_a_session_closes_when_the_watermark_has_passed_its_silence() -> None:
    state = begun()
    state.take([payload([(0, "k", "a")], 0)], "v")
    state.take([payload([], IDLE_SECONDS + DELAY_SECONDS)], "v")
    assert [piece.key for piece in state.close()] == []
    state.take([payload([], IDLE_SECONDS + DELAY_SECONDS + 1)], "v")
    assert [piece.key for piece in state.close()] == ["k"]
    assert state.sessions == 0


def test_a_partition_that_lags_holds_the_others_back() -> None:
    state = begun()
    state.take([payload([(0, "k", "a")], 0)], "v")
    state.take([payload([], 100, partition=0), payload([], 5, partition=1)], "v")
    assert state.close() == []


def test_a_line_behind_the_watermark_joins_an_open_session_but_opens_none_to_judge() -> None:
    state = begun()
    state.take([payload([(20, "k", "a")], 40)], "v")
    state.close()
    state.take([payload([(10, "k", "b"), (10, "late", "b")], 41)], "v")
    state.close()
    state.take([payload([], 200)], "v")
    assert told(state.close()) == [("k", 10, 20, "a*1 b*1")]
    assert state.late == 1


def test_what_may_have_begun_before_the_state_is_not_judged() -> None:
    state = OpenSessions()
    state.take([payload([(0, "cut", "a"), (IDLE_SECONDS, "cut too", "a"), (IDLE_SECONDS + 1, "whole", "a")], 31)], "v")
    state.take([payload([], 100)], "v")
    assert [piece.key for piece in state.close()] == ["whole"]


@pytest.mark.parametrize(("version", "newest"), [("w", 1), ("v", 1 + MAX_GAP_SECONDS)])
def test_another_model_and_a_long_silence_begin_anew(version: str, newest: int) -> None:
    state = begun()
    state.take([payload([(0, "k", "a")], 0)], "v")
    state.take([payload([], newest)], version)
    assert (state.sessions, state.begin - START) == (0, newest)


def test_more_sessions_than_may_be_open_are_closed_early_the_longest_idle_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session_state, "MAX_OPEN", 2)
    state = begun()
    state.take([payload([(0, "a", "x"), (1, "b", "x"), (2, "c", "x"), (3, "d", "x")], 3)], "v")
    assert [piece.key for piece in state.close()] == ["a", "b"]
    assert (state.sessions, state.early) == (2, 2)


def test_kinds_beyond_the_bound_are_counted_as_one() -> None:
    state = begun()
    for at in range(3):
        state.take([payload([(0, "k", f"t{at}-{number:03}") for number in range(MAX_KINDS)], 0)], "v")
    (session,) = state.open["k"]
    kinds = [(service, template) for service, lines in session.counts.items() for template in lines]
    assert len(kinds) == MAX_KINDS
    assert sum(session.shape.values()) == 3 * MAX_KINDS
    assert session.counts[""][FURTHER] == 2 * MAX_KINDS + 1


@given(st.dictionaries(st.sampled_from(["unknown", "0a1b", "further", "a*b"]), st.integers(1, 10**6), min_size=1))
def test_a_shape_is_read_as_it_was_written(shape: dict[str, int]) -> None:
    assert read_shape(shape_text(shape)) == shape
