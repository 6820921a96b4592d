"""How long the shop's stores and its card acquirer take: no I/O, randomness passed in."""

from __future__ import annotations

import random
from typing import Final

FASTEST_SECONDS: Final = 0.002
SLOWEST_SECONDS: Final = 0.030
SLOW_SHARE: Final = 0.015
SLOW_SECONDS: Final = (0.080, 0.160)


def draw_wait(rng: random.Random, slow_share: float = SLOW_SHARE) -> float:
    """Return a wait in seconds: log-normal around 7 ms cut to 2-30 ms, now and then 80-160 ms."""
    if rng.random() < slow_share:
        return rng.uniform(*SLOW_SECONDS)
    return min(max(rng.lognormvariate(-5.0, 0.6), FASTEST_SECONDS), SLOWEST_SECONDS)
