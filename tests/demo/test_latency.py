import random

from demo.latency import FASTEST_SECONDS, SLOW_SECONDS, SLOWEST_SECONDS, draw_wait


def test_waits_stay_in_their_range_without_the_slow_share():
    rng = random.Random(1)
    waits = [draw_wait(rng, slow_share=0.0) for _ in range(5_000)]
    assert FASTEST_SECONDS <= min(waits) <= max(waits) <= SLOWEST_SECONDS


def test_slow_share_is_kept():
    rng = random.Random(1)
    slow = sum(draw_wait(rng) >= SLOW_SECONDS[0] for _ in range(20_000))
    assert 200 <= slow <= 400
