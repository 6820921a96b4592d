"""What an order costs: no I/O, whole euro cents throughout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

SHIPPING_CENTS: Final = 490
FREE_SHIPPING_FROM_CENTS: Final = 5_000
DISCOUNT_FROM_CENTS: Final = 10_000
DISCOUNT_PERCENT: Final = 5

Items = Mapping[int, int]  # product id -> quantity


@dataclass(frozen=True)
class Price:
    """The parts of an order's price, in cents."""

    subtotal: int
    discount: int
    shipping: int

    @property
    def total(self) -> int:
        """Return what the customer pays."""
        return self.subtotal - self.discount + self.shipping

    def public(self) -> dict[str, int]:
        """Return the parts and the total for a response."""
        return {**asdict(self), "total": self.total}


def price_items(items: Items, unit_cents: Mapping[int, int]) -> Price:
    """Return the price of the items; nothing costs nothing. Raises KeyError for an unknown product.

    >>> price_items({7: 2}, {7: 1000}).total
    2490
    """
    subtotal = sum(unit_cents[product] * quantity for product, quantity in items.items())
    discount = subtotal * DISCOUNT_PERCENT // 100 if subtotal >= DISCOUNT_FROM_CENTS else 0
    free = subtotal == 0 or subtotal - discount >= FREE_SHIPPING_FROM_CENTS
    return Price(subtotal, discount, 0 if free else SHIPPING_CENTS)


def format_euros(cents: int) -> str:
    """Return an amount as it is written in log lines.

    >>> format_euros(4190)
    '41.90 EUR'
    """
    return f"{cents // 100}.{cents % 100:02d} EUR"
