"""Who pays for what was computed once."""

from __future__ import annotations

from evaluation.ledger import Ledger


class Clock:
    """Time that passes only when something is computed."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def spend(self, seconds, value=None):
        self.now += seconds
        return value


def test_a_second_user_is_charged_like_the_first():
    clock = Clock()
    ledger = Ledger(clock)

    def use():
        clock.spend(1)
        return ledger.get("vectors", lambda: clock.spend(5, "x"))

    assert ledger.timed(use) == ("x", 6.0)
    assert ledger.timed(use) == ("x", 6.0)
    assert clock.now == 7.0


def test_what_was_borrowed_inside_counts_too():
    clock = Clock()
    ledger = Ledger(clock)
    ledger.get("templates", lambda: clock.spend(3))
    _, seconds = ledger.timed(lambda: ledger.get("vectors", lambda: ledger.get("templates", lambda: clock.spend(3))))
    assert seconds == 3.0
    assert ledger.timed(lambda: ledger.get("vectors", lambda: None))[1] == 3.0
    assert clock.now == 3.0
