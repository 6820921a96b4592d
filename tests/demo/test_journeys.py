import random

import pytest

from demo.catalogue import CATALOGUE
from demo.journeys import Pace, draw_card, plan_visit


def visits(seed, number=2_000):
    rng = random.Random(seed)
    return [list(plan_visit(rng)) for _ in range(number)]


def test_every_kind_of_request_occurs():
    names = {request.name for visit in visits(1) for request in visit}
    assert names == {
        "home",
        "icon",
        "product list",
        "search",
        "missing page",
        "product page",
        "add to cart",
        "cart",
        "checkout",
    }


def test_a_checkout_comes_after_something_was_added():
    for visit in visits(1):
        names = [request.name for request in visit]
        if "checkout" in names:
            assert names[-1] == "checkout"
            assert "add to cart" in names


def test_product_pages_exist():
    ids = {int(r.path.rsplit("/", 1)[1]) for v in visits(1) for r in v if r.name == "product page"}
    assert ids <= set(CATALOGUE)


def test_same_seed_same_visits():
    assert visits(3, 50) == visits(3, 50)


def test_card_has_sixteen_digits():
    assert len(draw_card(random.Random(1))) == 16


@pytest.mark.parametrize("users", [20, 200])
def test_total_rate_holds_whatever_the_number_of_users(users):
    pace, clock = Pace(20.0, random.Random(1)), [0.0] * users
    sent = 0
    while min(clock) < 100.0:
        user = clock.index(min(clock))
        clock[user] += pace.wait(clock[user])
        sent += 1
    assert 1_850 <= sent - users <= 2_150


def test_a_stall_is_not_caught_up():
    pace = Pace(10.0, random.Random(1))
    pace.wait(0.0)
    waits = [pace.wait(60.0) for _ in range(11)]
    assert waits[0] == 0.0
    assert waits[-1] > 0.3


def test_a_wave_rises_and_falls():
    pace, now, sent = Pace(20.0, random.Random(1), wave_seconds=40.0), 100.0, []
    while now < 140.0:
        now += pace.wait(now)
        sent.append(now - 100.0)
    thirds = [sum(begin <= moment < begin + 40 / 3 for moment in sent) for begin in (0, 40 / 3, 80 / 3)]
    # The integral of sin² over the middle third is 0.61 of the whole, which is half of 20 a second for 40 s.
    assert 350 <= len(sent) <= 460
    assert 0.5 < thirds[1] / len(sent) < 0.7
    assert min(thirds) > 40
