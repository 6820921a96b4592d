import random

from demo.cards import LIMIT_CENTS, decide_card


def test_about_two_percent_are_declined():
    rng = random.Random(1)
    declined = sum(not decide_card(5_000, rng).authorised for _ in range(20_000))
    assert 300 <= declined <= 500


def test_amount_above_the_limit_is_declined():
    assert decide_card(LIMIT_CENTS + 1, random.Random(1)).reason == "limit exceeded"


def test_same_seed_same_decisions():
    decisions = [[decide_card(5_000, rng) for _ in range(500)] for rng in (random.Random(7), random.Random(7))]
    assert decisions[0] == decisions[1]
