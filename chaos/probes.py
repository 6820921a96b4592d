"""Is everything as it should be before something is injected? Each looks for a few seconds and says yes or no."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any, Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from faultline.config import Ports
from faultline.stack.programs import declare_programs

LOOK_SECONDS: Final = 5.0  # looked again for so long: one slow answer on a busy machine is no fault
PAUSE_SECONDS: Final = 0.2
REQUEST_SECONDS: Final = 2.0
# Behind the highest number that the demo's visitors have, so that no cart is shared.
FIRST_CUSTOMER: Final = 100_000
# Declined cards and sold-out products are part of a working shop.
CHECKED_OUT: Final = (201, 402, 409)
# About what the demo writes in ten seconds: a stream that lags more tells of the past.
LAG_RECORDS: Final = 1000


def shop_sells() -> bool:
    """True when a new customer gets through home page, product page, cart and checkout, by way of nginx."""
    return holds(lambda: _buys(Ports.from_env(os.environ).nginx))


def service_answers(service: str) -> bool:
    """True when a program of the stack answers as `./run status` expects (a service: /health with 200)."""
    program = declare_programs(os.environ).get(service)
    if program is None or program.probe is None:
        return False
    probe = program.probe
    return holds(lambda: probe() is None)


def stream_is_scoring() -> bool:
    """True when the stream commits a micro-batch while it is looked at, and is not behind."""
    port = Ports.from_env(os.environ).stream
    seen: list[float] = []

    def went_on() -> bool:
        page = _samples(port)
        seen.append(page["faultline_batches_total"])
        return seen[-1] > seen[0] and page["faultline_consumer_lag_records"] < LAG_RECORDS

    return holds(went_on)


def all_targets_scraped() -> bool:
    """True when Prometheus knows targets and could scrape every one of them the last time."""
    return holds(lambda: _all_up(Ports.from_env(os.environ).prometheus))


def holds(check: Callable[[], bool]) -> bool:
    """Look until `check` holds, at most LOOK_SECONDS; an answer that does not come, or makes no sense, is a no."""
    deadline = monotonic() + LOOK_SECONDS
    while not _quietly(check):
        if monotonic() > deadline:
            return False
        sleep(PAUSE_SECONDS)
    return True


def _quietly(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except (httpx.HTTPError, ValueError, LookupError, TypeError):
        return False


def _buys(port: int) -> bool:
    customer = random.randrange(FIRST_CUSTOMER, 2 * FIRST_CUSTOMER)
    with _client(f"http://127.0.0.1:{port}", {"Cookie": f"customer={customer}"}) as client:
        offers = client.get("/").raise_for_status().json()["offers"]
        product = random.choice(offers)["id"]
        client.get(f"/products/{product}").raise_for_status()
        client.post("/cart/items", json={"product": product, "quantity": 1}).raise_for_status()
        card = f"4000{customer:012d}"
        return client.post("/checkout", json={"card": card}).status_code in CHECKED_OUT


def _all_up(port: int) -> bool:
    with _client(f"http://127.0.0.1:{port}", {}) as client:
        answer: Any = client.get("/api/v1/query", params={"query": "up"}).raise_for_status().json()
    values = [sample["value"][1] for sample in answer["data"]["result"]]
    return bool(values) and set(values) == {"1"}


def _samples(port: int) -> dict[str, float]:
    """Return the stream's metrics by name, label sets added up."""
    with _client(f"http://127.0.0.1:{port}", {}) as client:
        page = client.get("/metrics").raise_for_status().text
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


def _client(base_url: str, headers: dict[str, str]) -> httpx.Client:
    """Return a client that asks the service itself, whatever proxy the environment names."""
    return httpx.Client(base_url=base_url, headers=headers, timeout=REQUEST_SECONDS, trust_env=False)
