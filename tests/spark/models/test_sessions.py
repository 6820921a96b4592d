"""Sessions as rows of counts: every event and step lands in exactly one column, whatever normal time had."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.errors import ArtifactError, TrainingDataError
from spark.models import sessions
from spark.models.sessions import SessionVocabulary

NORMAL = [["open", "write", "write", "close"], ["open", "read", "close"], ["open", "close"], []]
some_sessions = st.lists(st.lists(st.sampled_from("abcdefg"), max_size=8), max_size=6)


def row(vocabulary: SessionVocabulary, session: Sequence[str]) -> dict[str, float]:
    """Return what is not 0 in a session's row, by name."""
    (x,) = vocabulary.matrix([session])
    return {name: float(value) for name, value in zip(vocabulary.columns, x, strict=True) if value}


def test_columns_are_named_in_the_order_of_the_matrix() -> None:
    vocabulary = SessionVocabulary.fit(NORMAL)
    assert vocabulary.columns[:6] == (
        "count:close",
        "count:open",
        "count:read",
        "count:write",
        "count:other",
        "count:unknown",
    )
    assert vocabulary.columns[-3:] == ("step:other", "step:unseen", "length")
    assert vocabulary.columns[vocabulary.counts] == vocabulary.columns[:6]


def test_a_session_is_counts_and_steps() -> None:
    assert row(SessionVocabulary.fit(NORMAL), ["open", "write", "write", "close"]) == {
        "count:open": 1,
        "count:write": 2,
        "count:close": 1,
        "step:^>open": 1,
        "step:open>write": 1,
        "step:write>write": 1,
        "step:write>close": 1,
        "step:close>$": 1,
        "length": 4,
    }


def test_what_normal_time_never_had_is_unknown_or_unseen() -> None:
    found = row(SessionVocabulary.fit(NORMAL), ["close", "explode"])
    assert found == {"count:close": 1, "count:unknown": 1, "step:unseen": 3, "length": 2}


def test_what_it_had_rarely_shares_a_column() -> None:
    vocabulary = SessionVocabulary.fit(NORMAL, max_templates=2, max_steps=2)
    assert vocabulary.columns == (
        "count:close",
        "count:open",
        "count:other",
        "count:unknown",
        "step:^>open",
        "step:close>$",
        "step:other",
        "step:unseen",
        "length",
    )
    assert vocabulary.matrix([["open", "write", "close", "x"]]).tolist() == [[1, 1, 1, 1, 1, 0, 2, 2, 4]]


def test_a_session_without_events_is_a_row_of_zeros() -> None:
    x = SessionVocabulary.fit(NORMAL).matrix([[], ["open"]])
    assert not x[0].any()
    assert x.dtype == np.float32


@given(some_sessions.filter(any), some_sessions, st.integers(0, 4), st.integers(0, 4))
def test_counts_and_steps_add_up(
    normal: list[list[str]], asked: list[list[str]], max_templates: int, max_steps: int
) -> None:
    vocabulary = SessionVocabulary.fit(normal, max_templates=max_templates, max_steps=max_steps)
    x = vocabulary.matrix(asked)
    assert x.shape == (len(asked), len(vocabulary.columns))
    assert len(vocabulary.columns) <= max_templates + max_steps + 5
    lengths = np.array([len(session) for session in asked], np.float32)
    assert np.array_equal(x[:, vocabulary.counts].sum(axis=1), lengths)
    assert np.array_equal(x[:, vocabulary.counts.stop : -1].sum(axis=1), np.where(lengths > 0, lengths + 1, 0))
    assert np.array_equal(x[:, -1], lengths)


@given(some_sessions.filter(any))
def test_nothing_in_a_normal_session_is_unknown(normal: list[list[str]]) -> None:
    vocabulary = SessionVocabulary.fit(normal, max_templates=2, max_steps=2)
    unknown = [i for i, name in enumerate(vocabulary.columns) if name in ("count:unknown", "step:unseen")]
    assert not vocabulary.matrix(normal)[:, unknown].any()


@given(some_sessions.filter(any))
def test_the_order_of_sessions_is_irrelevant(normal: list[list[str]]) -> None:
    assert SessionVocabulary.fit(normal[::-1]) == SessionVocabulary.fit(normal)


@given(some_sessions.filter(any), some_sessions)
def test_what_is_stored_counts_alike(normal: list[list[str]], asked: list[list[str]]) -> None:
    vocabulary = SessionVocabulary.fit(normal, max_templates=3, max_steps=3)
    again = SessionVocabulary.from_json(json.loads(json.dumps(vocabulary.to_json())))
    assert again == vocabulary
    assert np.array_equal(again.matrix(asked), vocabulary.matrix(asked))


def test_state_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_KNOWN", 10)
    vocabulary = SessionVocabulary.fit([[f"t{i}", "often"] for i in range(100)])
    assert (len(vocabulary.templates), len(vocabulary.steps)) == (10, 10)
    assert vocabulary.templates[0] == "often"


@pytest.mark.parametrize("normal", [[], [[], []]])
def test_no_session_to_learn_from(normal: list[list[str]]) -> None:
    with pytest.raises(
        TrainingDataError, match="no session to learn from, expected at least one of normal time with an"
    ):
        SessionVocabulary.fit(normal)


BAD_STATES = {
    "nothing": {},
    "a step of one": {"templates": ["a"], "steps": [["a"]], "width_templates": 1, "width_steps": 1},
    "no width": {"templates": ["a"], "steps": [], "width_templates": None, "width_steps": 1},
    "a list": [],
}


@pytest.mark.parametrize("name", BAD_STATES)
def test_a_bad_state_is_refused(name: str) -> None:
    with pytest.raises(ArtifactError, match=r"session vocabulary: .+, expected what to_json wrote; train again"):
        SessionVocabulary.from_json(BAD_STATES[name])  # type: ignore[arg-type]
