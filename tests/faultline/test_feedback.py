"""Verdicts, which of them count, and what they teach."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.errors import DecodeError
from faultline.feedback import CandidateTable, FalseAlarms, Feedback, Learned, Pattern, Verdict, effective, learn

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SLOW, ODD = Pattern("time", "p95:duration_ms", "orders"), Pattern("said", "INFO cache rebuilt", "orders")


PATTERNS = {"i1": [SLOW, ODD], "i2": [SLOW]}


def verdict(
    number: int, incident: str, said: Verdict, undoes: str = "", patterns: list[Pattern] | None = None
) -> Feedback:
    return Feedback(
        at=NOON + timedelta(minutes=number),
        candidates=CandidateTable(["own_flow"], ["orders"], [[1.0]]),
        patterns=PATTERNS.get(incident, []) if patterns is None else patterns,
        cause="",
        feedback_id=f"f{number}",
        incident_id=incident,
        note="<b>seen</b>",
        undoes=undoes,
        verdict=said,
        who="robin",
    )


FALSE, TRUE = verdict(1, "i1", Verdict.FALSE), verdict(2, "i2", Verdict.TRUE)


def normal(learned: list[Learned]) -> list[Pattern]:
    return [item.pattern for item in learned if item.normal]


def test_verdict_survives_the_wire() -> None:
    assert Feedback.from_bytes(FALSE.to_bytes()) == FALSE


@pytest.mark.parametrize("value", [b"{", b"{}", FALSE.to_bytes().replace(b'"robin"', b'""')])
def test_other_bytes_are_refused(value: bytes) -> None:
    with pytest.raises(DecodeError):
        Feedback.from_bytes(value)


def test_false_alarm_makes_its_patterns_normal_and_says_who_decided() -> None:
    found = learn([FALSE])
    assert normal(found) == [ODD, SLOW]
    assert {(item.feedback_id, item.incident_id, item.who) for item in found} == {("f1", "i1", "robin")}


def test_pattern_that_both_a_false_and_a_true_alarm_had_is_listed_as_both() -> None:
    found = learn([FALSE, TRUE])
    assert normal(found) == [ODD, SLOW]
    assert [item.pattern for item in found if not item.normal] == [SLOW]


def test_what_a_false_alarm_had_is_normal_unless_a_true_one_had_all_of_it() -> None:
    found = FalseAlarms.of([FALSE, TRUE])
    assert found.cover(frozenset({ODD}))
    assert found.cover(frozenset({ODD, SLOW}))  # together as in the false alarm
    assert not found.cover(frozenset({SLOW}))  # alone as in the true one
    other = Pattern("said", "INFO cache rebuilt", "payments")
    assert not found.cover(frozenset({ODD, other}))
    assert FalseAlarms.of([FALSE]).cover(frozenset({SLOW}))
    assert not FalseAlarms.of([TRUE]).cover(frozenset({SLOW}))


def test_of_contradictory_verdicts_the_newer_one_counts() -> None:
    assert effective([verdict(5, "i1", Verdict.TRUE), FALSE])["i1"].verdict is Verdict.TRUE
    assert normal(learn([FALSE, verdict(5, "i1", Verdict.TRUE)])) == []


def test_verdict_that_is_taken_back_teaches_nothing_any_more() -> None:
    back = verdict(7, "i1", Verdict.FALSE, undoes="f1")
    assert learn([FALSE, back]) == []
    older = verdict(0, "i1", Verdict.TRUE)
    assert effective([older, FALSE, back])["i1"] == older


def test_verdict_on_an_incident_without_patterns_teaches_nothing() -> None:
    assert learn([verdict(1, "forgotten", Verdict.FALSE)]) == []


@given(st.permutations([FALSE, TRUE, verdict(3, "i1", Verdict.TRUE), verdict(4, "i1", Verdict.FALSE, undoes="f3")]))
def test_order_of_delivery_is_irrelevant(verdicts: list[Feedback]) -> None:
    assert learn(verdicts) == learn(sorted(verdicts, key=lambda v: v.at))
