"""The card decision: no I/O, randomness passed in."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

DECLINED_SHARE: Final = 0.02
LIMIT_CENTS: Final = 250_000
_REASONS: Final = ("insufficient funds", "card expired")


@dataclass(frozen=True)
class Decision:
    """Whether the card was accepted; the reason is empty when it was."""

    authorised: bool
    reason: str


def decide_card(amount_cents: int, rng: random.Random) -> Decision:
    """Return the issuer's answer: about 2 % are declined, and every amount above the limit."""
    if amount_cents > LIMIT_CENTS:
        return Decision(False, "limit exceeded")
    if rng.random() < DECLINED_SHARE:
        return Decision(False, rng.choice(_REASONS))
    return Decision(True, "")
