import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.pricing import DISCOUNT_FROM_CENTS, FREE_SHIPPING_FROM_CENTS, SHIPPING_CENTS, format_euros, price_items

UNIT_CENTS = {1: 1_000, 2: 5_000, 3: 333}


def test_small_order_pays_shipping():
    assert price_items({1: 2}, UNIT_CENTS).public() == {
        "subtotal": 2_000,
        "discount": 0,
        "shipping": SHIPPING_CENTS,
        "total": 2_000 + SHIPPING_CENTS,
    }


def test_order_at_the_limit_ships_free():
    assert price_items({2: 1}, UNIT_CENTS).shipping == 0


def test_large_order_is_discounted():
    assert price_items({2: 2}, UNIT_CENTS).total == 9_500


def test_nothing_costs_nothing():
    assert price_items({}, UNIT_CENTS).total == 0


def test_unknown_product_is_an_error():
    with pytest.raises(KeyError, match="99"):
        price_items({99: 1}, UNIT_CENTS)


@given(st.dictionaries(st.sampled_from(sorted(UNIT_CENTS)), st.integers(1, 99), min_size=1))
def test_parts_add_up(items):
    price = price_items(items, UNIT_CENTS)
    assert price.total == price.subtotal - price.discount + price.shipping
    assert (price.discount > 0) == (price.subtotal >= DISCOUNT_FROM_CENTS)
    assert (price.shipping == 0) == (price.subtotal - price.discount >= FREE_SHIPPING_FROM_CENTS)


@pytest.mark.parametrize(("cents", "text"), [(5, "0.05 EUR"), (4190, "41.90 EUR"), (100_000, "1000.00 EUR")])
def test_amounts_are_written_with_two_digits(cents, text):
    assert format_euros(cents) == text
