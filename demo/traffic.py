"""Locust file: visitors of the shop. `locust -f demo/traffic.py --headless -u USERS -r RATE --host http://...`.

FAULTLINE_TRAFFIC_RPS sets the requests per second of all users together, FAULTLINE_SEED what they do. With
FAULTLINE_TRAFFIC_WAVE_SECONDS the rate rises to FAULTLINE_TRAFFIC_RPS and falls again in that time, over and over.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

from locust import FastHttpUser, events, task

# Locust puts the folder of this file on the path, not the repository's root.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from demo.journeys import Pace, Request, draw_customer, order_page, plan_visit
from faultline.settings import read_float, read_int

RETURNING_SHARE = 0.35
SEED = read_int(os.environ, "FAULTLINE_SEED", 0)
_PACE = Pace(
    read_float(os.environ, "FAULTLINE_TRAFFIC_RPS", 20.0, 0.01),
    random.Random(f"{SEED}:pace"),
    read_float(os.environ, "FAULTLINE_TRAFFIC_WAVE_SECONDS", 0.0),
)
_NUMBERS = count()
_BROWSERS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/605.1.15",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0 Mobile Safari/537.36",
)


@events.quitting.add_listener
def leave_quietly(environment: Any, **_: Any) -> None:
    """End with status 0: requests that failed while something was broken are no failure of the traffic."""
    environment.process_exit_code = 0


class Visitor(FastHttpUser):
    """Visits the shop again and again, one request per task; some come back under their old number."""

    connection_timeout = 2.0
    network_timeout = 12.0  # above nginx's read time-out, so that its 504 is seen

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._rng = random.Random(f"{SEED}:visitor:{next(_NUMBERS)}")
        self._visit: Iterator[Request] = iter(())
        self._follow_up: Request | None = None
        self._headers: dict[str, str] = {}

    def wait_time(self) -> float:
        """Return the seconds until this user's turn."""
        return _PACE.wait(monotonic())

    @task
    def step(self) -> None:
        """Send the next request of the visit."""
        self._send(self._follow_up or self._next_request())

    def _next_request(self) -> Request:
        request = next(self._visit, None)
        if request is None:
            self._visit = plan_visit(self._rng)
            if not self._headers or self._rng.random() > RETURNING_SHARE:
                self._headers = self._new_customer()
            request = next(self._visit)
        return request

    def _new_customer(self) -> dict[str, str]:
        customer = draw_customer(self._rng)
        return {"Cookie": f"customer={customer}", "User-Agent": self._rng.choice(_BROWSERS)}

    def _send(self, request: Request) -> None:
        self._follow_up = None
        options = {"json": request.body} if request.body is not None else {}
        with self.client.request(
            request.method, request.path, name=request.name, headers=self._headers, catch_response=True, **options
        ) as response:
            if response.status_code in request.expected:
                response.success()
            else:
                response.failure(f"status {response.status_code}")
        if request.name == "checkout" and response.status_code == 201 and self._rng.random() < 0.5:
            self._follow_up = order_page(response.json()["order_id"])
