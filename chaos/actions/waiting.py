"""Look again and again until it is as it should be, for a bounded time."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep
from typing import Final

from chaos.errors import ChaosError

POLL_SECONDS: Final = 0.05


def wait_until(look: Callable[[], str | None], seconds: float, what: str) -> None:
    """Return when `look` gives None; ChaosError with what it said last after `seconds`.

    Looks at least once.
    """
    deadline = monotonic() + seconds
    while (problem := look()) is not None:
        if monotonic() > deadline:
            raise ChaosError(f"{what} not within {seconds:g} s: {problem}")
        sleep(POLL_SECONDS)
