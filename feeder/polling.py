"""Fetch health and metrics pages, each source in a thread of its own: one that hangs delays no other."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Final

import httpx

from faultline.records import Event, SourceType
from feeder import app_container_metrics, fastapi_status
from feeder.origin import Origin
from feeder.sources import PolledSource

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = 3.0
MAX_PAGE_BYTES: Final = 4 * 1024 * 1024
MAX_WAITING: Final = 1000  # records not taken yet; above it polling waits


class Pollers:
    """Polls all sources until closed; `take` gives what has come in."""

    def __init__(
        self,
        sources: Sequence[PolledSource],
        host_name: str,
        failed: Callable[[SourceType], None] = lambda _: None,
    ) -> None:
        self._failed = failed
        self._events: queue.Queue[Event] = queue.Queue(MAX_WAITING)
        self._closed = threading.Event()
        self._threads = [
            threading.Thread(target=self._poll, args=(source, host_name), daemon=True, name=source.url)
            for source in sources
        ]
        for thread in self._threads:
            thread.start()

    def take(self) -> Iterator[Event]:
        """Yield the records that wait now."""
        while True:
            try:
                yield self._events.get_nowait()
            except queue.Empty:
                return

    def close(self) -> None:
        """Ask every thread to end; they end within TIMEOUT_SECONDS."""
        self._closed.set()

    def _poll(self, source: PolledSource, host_name: str) -> None:
        with make_client() as client:
            while not self._closed.wait(source.interval_seconds):
                event = poll_once(source, host_name, client, failed=self._failed)
                while not self._closed.is_set():
                    try:
                        self._events.put(event, timeout=1)
                        break
                    except queue.Full:
                        continue


def make_client() -> httpx.Client:
    """Return a client that asks the service itself: no proxy of the environment, nothing compressed."""
    return httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False, headers={"accept-encoding": "identity"})


def poll_once(
    source: PolledSource,
    host_name: str,
    client: httpx.Client,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    failed: Callable[[SourceType], None] = lambda _: None,
) -> Event:
    """Return the record of one poll; no answer is a record, too, and `failed` is told."""
    moment = clock()
    origin = Origin(
        source.source_type, source.service_name, host_name, source.url, int(moment.timestamp() * 1e6), moment
    )
    begin = monotonic()
    try:
        status, page = _fetch(client, source.url, begin + TIMEOUT_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        failed(source.source_type)
        return fastapi_status.unreachable(origin, f"{type(error).__name__}: {error}"[:300], monotonic() - begin)
    seconds = monotonic() - begin
    if source.source_type is SourceType.APP_CONTAINER_METRICS:
        return app_container_metrics.parse(origin, status, page, seconds)
    return fastapi_status.parse(origin, status, page, seconds)


def _fetch(client: httpx.Client, url: str, deadline: float) -> tuple[int, bytes]:
    """Return status and page; the client's own time-out counts from each byte, a slow page would never end."""
    with client.stream("GET", url) as response:
        page = bytearray()
        for block in response.iter_raw():
            page += block
            if len(page) > MAX_PAGE_BYTES:
                raise ValueError(f"page above {MAX_PAGE_BYTES} bytes")
            if monotonic() > deadline:
                raise httpx.ReadTimeout(f"page not complete after {TIMEOUT_SECONDS:g} s")
        return response.status_code, bytes(page)
