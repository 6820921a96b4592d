"""Decisions about stock: what can be reserved, when to reorder. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from demo.pricing import Items

# At 20 requests/s about 0.4 units/s of the best seller are sold: the reorder point lasts four times the longest
# delivery (15 s), so a sold-out product means unusual demand, while some delivery comes every few seconds.
INITIAL_UNITS: Final = 28
REORDER_POINT: Final = 24
DELIVERY_UNITS: Final = 24


@dataclass(frozen=True)
class Reservation:
    """Outcome of a reservation: new levels, or the products that fall short (then nothing changes)."""

    levels: Mapping[int, int]
    shortages: Mapping[int, int]  # product id -> units available
    low: tuple[int, ...]  # products at or below the reorder point afterwards


def plan_reservation(levels: Mapping[int, int], wanted: Items) -> Reservation:
    """Return what reserving `wanted` would do to `levels`: all of it or nothing.

    >>> plan_reservation({1: 5}, {1: 7}).shortages
    {1: 5}
    """
    shortages = {product: levels.get(product, 0) for product, units in wanted.items() if levels.get(product, 0) < units}
    if shortages:
        return Reservation(dict(levels), shortages, ())
    after = {product: level - wanted.get(product, 0) for product, level in levels.items()}
    low = tuple(product for product in wanted if after[product] <= REORDER_POINT)
    return Reservation(after, {}, low)


def describe_shortages(shortages: Mapping[int, int], wanted: Items) -> str:
    """Return the reason shown to the customer.

    >>> describe_shortages({1: 5}, {1: 7})
    'product 1 has 5 left, 7 wanted'
    """
    return ", ".join(
        f"product {product} has {left} left, {wanted[product]} wanted" for product, left in shortages.items()
    )
