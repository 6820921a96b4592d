"""The products the shop sells, and the search over them: no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

PAGE_SIZE: Final = 8
_KINDS: Final = {
    "kitchen": (("kettle", 2990), ("pan", 3490), ("knife", 1990), ("bowl", 890), ("teapot", 2450), ("grater", 1290)),
    "garden": (("spade", 2790), ("hose", 1890), ("lantern", 1690), ("planter", 1150)),
    "office": (("lamp", 4290), ("notebook", 490), ("stapler", 990), ("chair", 12900)),
    "outdoor": (("tent", 15900), ("bottle", 1590), ("backpack", 6490)),
}
_FINISHES: Final = (("steel", 110), ("wooden", 100), ("blue", 95))


@dataclass(frozen=True)
class Product:
    """One article; the price is in euro cents and includes tax."""

    id: int
    name: str
    category: str
    price_cents: int

    def public(self) -> dict[str, object]:
        """Return the fields shown to customers."""
        return asdict(self)


def build_catalogue() -> dict[int, Product]:
    """Return every product by id: each kind in each finish.

    >>> build_catalogue()[1].name
    'steel kettle'
    """
    rows = [
        (f"{finish} {name}", category, price * percent // 100)
        for category, kinds in _KINDS.items()
        for name, price in kinds
        for finish, percent in _FINISHES
    ]
    return {number: Product(number, *row) for number, row in enumerate(rows, start=1)}


CATALOGUE: Final[Mapping[int, Product]] = build_catalogue()
CATEGORIES: Final = tuple(_KINDS)


def browse(category: str | None, page: int) -> list[Product]:
    """Return one page (from 1) of a category, or of everything."""
    chosen = [product for product in CATALOGUE.values() if category in (None, product.category)]
    return chosen[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]


def search(text: str) -> list[Product]:
    """Return products that hold a word of the text, those with most words first, then by price."""
    words = text.lower().split()
    ranked = [
        (-sum(word in (*product.name.split(), product.category) for word in words), product.price_cents, product.id)
        for product in CATALOGUE.values()
    ]
    return [CATALOGUE[number] for hits, _, number in sorted(ranked) if hits < 0]
