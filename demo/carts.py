"""Shopping carts, kept in memory: the oldest unused ones are dropped when there are too many."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

MAX_CARTS: Final = 5_000
MAX_QUANTITY: Final = 20

Cart = dict[int, int]  # product id -> quantity


class Carts:
    """Carts by customer, at most `limit` of them."""

    def __init__(self, limit: int = MAX_CARTS) -> None:
        self._limit = limit
        self._carts: OrderedDict[int, Cart] = OrderedDict()

    def __len__(self) -> int:
        return len(self._carts)

    def of(self, customer: int) -> Cart:
        """Return a copy of the customer's cart, empty when there is none."""
        return dict(self._carts.get(customer, {}))

    def add(self, customer: int, product: int, quantity: int) -> Cart:
        """Add to the cart, at most MAX_QUANTITY of a product; return a copy of the cart."""
        cart = self._carts.setdefault(customer, {})
        cart[product] = min(cart.get(product, 0) + quantity, MAX_QUANTITY)
        self._carts.move_to_end(customer)
        if len(self._carts) > self._limit:
            self._carts.popitem(last=False)
        return dict(cart)

    def clear(self, customer: int) -> None:
        """Forget the customer's cart."""
        self._carts.pop(customer, None)
