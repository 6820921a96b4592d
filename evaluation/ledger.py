"""Seconds of shared steps: each arm is charged for what it used, also when another arm had it computed first."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from time import perf_counter
from typing import Any, TypeVar

T = TypeVar("T")


class Ledger:
    """Remembers results and what they cost; `borrowed` is what was used since `start` without being computed anew."""

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._values: dict[Hashable, Any] = {}
        self._costs: dict[Hashable, float] = {}
        self._borrowed = 0.0

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the value of a key; computed once."""
        if key in self._values:
            self._borrowed += self._costs[key]
        else:
            start = self._clock()
            value, cost = self.timed(compute)
            self._borrowed += cost - (self._clock() - start)  # what it used of others, on top of the time that passed
            self._values[key], self._costs[key] = value, cost
        found: T = self._values[key]
        return found

    def timed(self, compute: Callable[[], T]) -> tuple[T, float]:
        """Return a result and its seconds, as if nothing had been computed before."""
        before, self._borrowed = self._borrowed, 0.0
        start = self._clock()
        try:
            value = compute()
            return value, self._clock() - start + self._borrowed
        finally:
            self._borrowed = before
