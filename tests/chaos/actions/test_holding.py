from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from chaos.actions.holding import BEGUN, LONGEST, SHORTEST, hold_until_noticed
from chaos.records import SIDES
from faultline.alerts import FiringAlert
from faultline.errors import ConfigError

BEGIN = datetime(2026, 1, 31, 12, tzinfo=UTC)
BRIEF = {BEGUN: BEGIN.isoformat(), SHORTEST: "0", LONGEST: "0.2"}


def alert(side: str, seconds: float = 1, severity: str = "page") -> FiringAlert:
    return FiringAlert("Broken", "payments", side, BEGIN + timedelta(seconds=seconds), "", severity)


def test_ends_when_every_side_has_told() -> None:
    found = hold_until_noticed({**BRIEF, LONGEST: "60"}, lambda: [alert(side) for side in SIDES])
    assert found["sides"] == sorted(SIDES)
    assert float(str(found["held_seconds"])) < 30


def test_a_side_that_told_once_need_not_go_on() -> None:
    answers = [[alert("ml")], [alert("rules"), alert("slo")]]
    found = hold_until_noticed({**BRIEF, LONGEST: "60"}, lambda: answers.pop(0))
    assert found["sides"] == ["ml", "rules", "slo"]


@pytest.mark.parametrize(
    "firing",
    [[], [alert("ml", seconds=-1)], [alert("ml", severity="info")], [alert("pipeline")]],
    ids=["silence", "from before", "only shown", "about Faultline itself"],
)
def test_what_is_not_telling(firing: list[FiringAlert]) -> None:
    found = hold_until_noticed(BRIEF, lambda: firing)
    assert found["sides"] == []
    assert float(str(found["held_seconds"])) >= 0.2


def test_alertmanager_that_does_not_answer_ends_nothing() -> None:
    def refused() -> list[FiringAlert]:
        raise httpx.ConnectError("refused")

    assert hold_until_noticed(BRIEF, refused)["sides"] == []


def test_a_begin_that_is_no_time() -> None:
    with pytest.raises(ConfigError, match=f"{BEGUN} is 'noon'"):
        hold_until_noticed({**BRIEF, BEGUN: "noon"}, lambda: [])
