"""A price export that reads every page of the shop: `python -m chaos.actions.exporter URL RATE SECONDS`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import count, takewhile
from time import monotonic, sleep
from typing import Final

import httpx

USER_AGENT: Final = "price-export/1.3"


def main(url: str, per_second: float, seconds: float) -> None:
    """Read page after page at an even rate, from the start again when it was faster; end after `seconds`."""
    end = monotonic() + seconds
    with httpx.Client(base_url=url, headers={"User-Agent": USER_AGENT}, timeout=5.0, trust_env=False) as client:
        while monotonic() < end:
            for _ in takewhile(lambda _: monotonic() < end, export(client)):
                sleep(1 / per_second)


def export(client: httpx.Client) -> Iterator[httpx.Response]:
    """Yield every list page and every product page, each fetched when it is asked for."""
    for page in count(1):
        listed = client.get("/products", params={"page": page})
        yield listed
        for product in listed.json():
            yield client.get(f"/products/{product['id']}")
        if not listed.json():
            return


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
