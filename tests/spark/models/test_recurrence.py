"""A line that keeps coming becomes normal after the recovery time; one that pauses, or is one of many, does not."""

from __future__ import annotations

import pytest

from spark.models import recurrence
from spark.models.drift import RECOVERY_SECONDS
from spark.models.recurrence import PAUSE_SECONDS, Recurrences

HOUR = int(RECOVERY_SECONDS)


def lines(found: Recurrences, moments: range, service: str = "orders", template: str = "ab") -> list[bool]:
    return [found.accepts(service, template, second) for second in moments]


def test_a_lasting_line_is_accepted_after_the_recovery_time() -> None:
    accepted = lines(Recurrences(), range(0, 2 * HOUR, 60))
    assert accepted.index(True) * 60 == HOUR
    assert all(accepted[HOUR // 60 :])


def test_an_incident_that_ends_is_not_accepted_nor_is_its_return() -> None:
    found = Recurrences()
    assert not any(lines(found, range(0, HOUR - 60, 60)))
    assert not any(lines(found, range(3 * HOUR, 4 * HOUR - 60, 60)))


def test_lines_far_apart_are_never_accepted() -> None:
    assert not any(lines(Recurrences(), range(0, 100 * HOUR, int(PAUSE_SECONDS) + 1)))


def test_services_and_templates_are_told_apart() -> None:
    found = Recurrences()
    lines(found, range(0, 2 * HOUR, 60))
    assert not found.accepts("payments", "ab", 2 * HOUR)
    assert not found.accepts("orders", "cd", 2 * HOUR)


def test_an_old_line_does_not_turn_time_back() -> None:
    found = Recurrences()
    lines(found, range(0, HOUR + 60, 60))
    assert found.accepts("orders", "ab", 5)


def test_templates_beyond_the_bound_push_out_those_not_seen_for_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recurrence, "MAX_TEMPLATES", 2)
    found = Recurrences()
    for second, template in enumerate(("a", "b", "a", "c")):
        found.accepts("orders", template, second)
    assert list(found.known) == ["a orders", "c orders"]
