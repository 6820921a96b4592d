import sqlite3
from contextlib import closing

import pytest

from demo.carts import MAX_QUANTITY, Carts
from demo.errors import StoreUnavailable


def test_added_products_are_summed_up_to_the_limit():
    carts = Carts()
    carts.add(1, 7, 2)
    assert carts.add(1, 7, 3) == {7: 5}
    assert carts.add(1, 7, 99) == {7: MAX_QUANTITY}


def test_cart_returned_is_a_copy():
    carts = Carts()
    carts.add(1, 7, 2)[7] = 100
    assert carts.of(1) == {7: 2}


def test_the_cart_unused_for_longest_is_dropped():
    carts = Carts(limit=2)
    for customer in (1, 2, 1, 3):
        carts.add(customer, 7, 1)
    assert [carts.of(customer) for customer in (1, 2, 3)] == [{7: 2}, {}, {7: 1}]


def test_cleared_cart_is_empty():
    carts = Carts()
    carts.add(1, 7, 2)
    carts.clear(1)
    assert (carts.of(1), len(carts)) == ({}, 0)


def test_two_instances_see_the_same_carts(tmp_path):
    path = tmp_path / "shop" / "storefront.db"
    with closing(Carts(path)) as old, closing(Carts(path)) as new:
        old.add(1, 7, 2)
        assert new.add(1, 8, 1) == {7: 2, 8: 1}
        assert old.of(1) == {7: 2, 8: 1}


def test_carts_that_cannot_be_read_are_named(tmp_path):
    path = tmp_path / "storefront.db"
    with closing(Carts(path)) as carts:
        with closing(sqlite3.connect(path)) as other:
            other.execute("DROP TABLE carts")
        with pytest.raises(StoreUnavailable, match="carts cannot be read or written: OperationalError: no such table"):
            carts.of(1)
