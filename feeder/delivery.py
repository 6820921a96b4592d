"""From lines to acknowledged records: at least once, in order per service, with back-pressure."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Final, Protocol

from confluent_kafka import KafkaException

from faultline.config import Topics
from faultline.errors import SinkUnavailable
from faultline.metrics import FeederMetrics
from faultline.records import Event

logger = logging.getLogger(__name__)

MAX_IN_FLIGHT: Final = 50_000  # records the broker has not acknowledged; above it reading waits
COMPLAIN_SECONDS: Final = 10.0


class Producer(Protocol):
    """The part of confluent_kafka.Producer that is used."""

    def produce(self, topic: str, value: bytes, **options: Any) -> None: ...

    def poll(self, timeout: float) -> int: ...

    def flush(self, timeout: float) -> int: ...

    def __len__(self) -> int: ...


class Delivery:
    """Sends records; `acknowledge` of each is called once the broker has it, never before."""

    def __init__(self, producer: Producer, topics: Topics, metrics: FeederMetrics) -> None:
        self._producer = producer
        self._topics = topics
        self._metrics = metrics
        self._last_complaint = monotonic()
        self._refused = ""
        self._stopping: Callable[[], bool] = lambda: False
        self._waiting: Callable[[], None] = lambda: None

    def while_full(self, stopping: Callable[[], bool], waiting: Callable[[], None]) -> None:
        """Call `waiting` while the queue is full, and give up once `stopping()`: the line is read again next time."""
        self._stopping, self._waiting = stopping, waiting

    def send(self, event: Event, value: bytes, acknowledge: Callable[[], None]) -> bool:
        """Hand a record, `value` on the wire, to the producer; False when asked to stop before it was taken."""
        kind = event.source_type.value
        self._metrics.lines_read.labels(kind).inc()

        def done() -> None:
            self._metrics.records_acknowledged.labels(kind).inc()
            acknowledge()

        return self._produce(self._topics.logs, value, event.service_name, {}, done)

    def set_aside(self, data: bytes, headers: Mapping[str, str], acknowledge: Callable[[], None]) -> bool:
        """Send a line (or a piece of one) that cannot be a record to topic logs-dead-letter, its bytes as they are."""
        self._metrics.lines_read.labels(headers["source_type"]).inc()
        self._metrics.dead_lettered.labels(headers["source_type"], headers["reason"]).inc()
        return self._produce(self._topics.dead_letter, data, headers["service_name"], headers, acknowledge)

    def _produce(
        self, topic: str, value: bytes, key: str, headers: Mapping[str, str], acknowledge: Callable[[], None]
    ) -> bool:
        def delivered(error: Any, message: Any) -> None:
            if error is None:
                acknowledge()
            else:
                self._refused = f"{topic}: the broker refused a record of {len(value)} bytes: {error}"

        while not self._stopping():
            self._check()
            if len(self._producer) < MAX_IN_FLIGHT:
                try:
                    self._producer.produce(topic, value, key=key, headers=list(headers.items()), on_delivery=delivered)
                    self._producer.poll(0)
                    return True
                except BufferError:
                    pass
                except KafkaException as error:
                    raise SinkUnavailable(f"{topic}: the producer cannot go on: {error}", COMPLAIN_SECONDS) from error
            self._producer.poll(0.1)
            self._waiting()
            self._complain()
        return False

    def _check(self) -> None:
        """Delivery has no time limit: what is refused is refused for good. End, lest later lines pass it by."""
        if self._refused:
            raise SinkUnavailable(f"{self._refused}; are the topics of kafka/topics.yaml there?", COMPLAIN_SECONDS)

    def _complain(self) -> None:
        if monotonic() - self._last_complaint > COMPLAIN_SECONDS:
            self._last_complaint = monotonic()
            logger.warning("the broker takes no records; reading waits", extra={"unacknowledged": len(self._producer)})

    def serve(self, seconds: float) -> None:
        """Let acknowledgements in for a moment."""
        self._producer.poll(seconds)
        self._check()
        if len(self._producer) == 0:
            self._last_complaint = monotonic()
        else:
            self._complain()

    def close(self, seconds: float) -> int:
        """Wait for acknowledgements; return how many records are left without."""
        return self._producer.flush(seconds)
