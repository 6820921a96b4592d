from hypothesis import given
from hypothesis import strategies as st

from demo.stock import REORDER_POINT, describe_shortages, plan_reservation


def test_reservation_takes_from_the_levels():
    plan = plan_reservation({1: 50, 2: 60}, {1: 5})
    assert (plan.levels, plan.shortages, plan.low) == ({1: 45, 2: 60}, {}, ())


def test_shortage_leaves_every_level_as_it_was():
    plan = plan_reservation({1: 50, 2: 1}, {1: 5, 2: 2})
    assert (plan.levels, plan.shortages) == ({1: 50, 2: 1}, {2: 1})


def test_unknown_product_is_a_shortage():
    assert plan_reservation({}, {9: 1}).shortages == {9: 0}


def test_product_at_the_reorder_point_is_low():
    levels = {1: REORDER_POINT + 1, 2: REORDER_POINT + 2}
    assert plan_reservation(levels, {1: 1, 2: 1}).low == (1,)


def test_shortages_are_named_one_by_one():
    text = describe_shortages({1: 5, 2: 0}, {1: 7, 2: 3})
    assert text == "product 1 has 5 left, 7 wanted, product 2 has 0 left, 3 wanted"


amounts = st.dictionaries(st.integers(1, 5), st.integers(0, 30))


@given(amounts, st.dictionaries(st.integers(1, 5), st.integers(1, 30), min_size=1))
def test_units_are_neither_made_nor_oversold(levels, wanted):
    plan = plan_reservation(levels, wanted)
    taken = 0 if plan.shortages else sum(wanted.values())
    assert sum(plan.levels.values()) == sum(levels.values()) - taken
    assert min(plan.levels.values(), default=0) >= 0
