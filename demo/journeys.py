"""How visitors move through the shop: a plan of requests for one visit. No I/O, randomness passed in."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from demo.catalogue import CATALOGUE, CATEGORIES, PAGE_SIZE

SEARCHES: Final = ("steel kettle", "tent", "blue lamp", "wooden bowl", "garden", "knife", "backpack", "sofa", "teapot")
MISSING: Final = ("/sale/spring-2019", "/wp-login.php", "/products/990", "/old/catalogue.html")
MISSING_SHARE: Final = 0.15  # of visits
ICON_SHARE: Final = 0.2  # of visits: browsers ask for it once
BUYER_SHARE: Final = 0.7
MAX_CUSTOMER: Final = 99_999


@dataclass(frozen=True)
class Request:
    """One request to send; `name` groups requests of a kind in the statistics."""

    method: str
    path: str
    name: str
    body: dict[str, Any] | None = None
    expected: tuple[int, ...] = field(default=(200,))  # statuses that are no failure of the shop


def plan_visit(rng: random.Random) -> Iterator[Request]:
    """Yield the requests of one visit: look around, perhaps search, perhaps buy, perhaps follow a dead link."""
    yield Request("GET", "/", "home")
    if rng.random() < ICON_SHARE:
        yield Request("GET", "/favicon.ico", "icon", expected=(404,))
    if rng.random() < 0.6:
        yield _list_page(rng)
    if rng.random() < 0.4:
        yield Request("GET", f"/search?q={rng.choice(SEARCHES).replace(' ', '+')}", "search")
    if rng.random() < MISSING_SHARE:
        yield Request("GET", rng.choice(MISSING), "missing page", expected=(404,))
    basket = [_choose_product(rng) for _ in range(rng.choice((1, 1, 2)))]
    for product in basket:
        yield Request("GET", f"/products/{product}", "product page")
    if rng.random() < BUYER_SHARE:
        yield from _buy(basket, rng)


def _buy(basket: list[int], rng: random.Random) -> Iterator[Request]:
    for product in basket:
        body = {"product": product, "quantity": rng.choice((1, 1, 1, 2, 3))}
        yield Request("POST", "/cart/items", "add to cart", body, (201,))
    if rng.random() < 0.3:
        yield Request("GET", "/cart", "cart")
    # Declined cards (402) and sold-out products (409) are part of a working shop.
    yield Request("POST", "/checkout", "checkout", {"card": draw_card(rng)}, (201, 402, 409))


def order_page(order_id: int) -> Request:
    """Return the request with which a customer looks at the order just placed."""
    return Request("GET", f"/orders/{order_id}", "order page")


def draw_card(rng: random.Random) -> str:
    """Return a 16-digit card number of the range reserved for tests."""
    return f"4000{rng.randrange(10**12):012d}"


def draw_customer(rng: random.Random) -> int:
    """Return the number of a customer."""
    return rng.randint(1, MAX_CUSTOMER)


def _list_page(rng: random.Random) -> Request:
    category = rng.choice((None, *CATEGORIES))
    pages = -(-len(CATALOGUE) // PAGE_SIZE) if category is None else 2
    query = "" if category is None else f"category={category}&"
    return Request("GET", f"/products?{query}page={rng.randint(1, pages)}", "product list")


def _choose_product(rng: random.Random) -> int:
    """Return a product id; small ids are more popular, as in any shop."""
    return 1 + int(len(CATALOGUE) * rng.random() ** 1.5)


class Pace:
    """One queue of send times for all users: the total rate holds however many users there are.

    Gaps are exponential (independent visitors). What was missed is not caught up: no burst after a stall. With
    `wave_seconds` the rate is not even: it rises from a twentieth of `per_second` to all of it, falls again, and so on.
    """

    def __init__(self, per_second: float, rng: random.Random, wave_seconds: float = 0.0) -> None:
        self._per_second, self._rng, self._wave_seconds = per_second, rng, wave_seconds
        self._begin: float | None = None
        self._next = 0.0

    def wait(self, now: float) -> float:
        """Return the seconds until the caller may send its next request."""
        if self._begin is None:
            self._begin = now
        moment = max(now, self._next)
        self._next = moment + self._rng.expovariate(self._rate(moment - self._begin))
        return moment - now

    def _rate(self, seconds: float) -> float:
        if self._wave_seconds == 0:
            return self._per_second
        return self._per_second * max(0.05, math.sin(math.pi * seconds / self._wave_seconds) ** 2)
