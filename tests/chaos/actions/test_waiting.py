import pytest

from chaos.actions.waiting import wait_until
from chaos.errors import ChaosError


def test_looks_until_nothing_is_missing() -> None:
    answers = iter(["not yet", None])
    wait_until(lambda: next(answers), 30, "the end")
    assert list(answers) == []


def test_says_what_was_missing_last() -> None:
    with pytest.raises(ChaosError, match="the end not within 0 s: it still runs"):
        wait_until(lambda: "it still runs", 0, "the end")
