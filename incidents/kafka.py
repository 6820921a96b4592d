"""Reading topics at a place or a time of one's own choosing: no consumer group, nothing is committed to the broker."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from time import monotonic
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from faultline.errors import SinkUnavailable
from faultline.kafka_io import MAX_MESSAGE_BYTES, QUIET

ANSWER_SECONDS: Final = 5.0
BATCH: Final = 1000

logger = logging.getLogger(__name__)


class TopicReader:
    """One topic, read on from given offsets."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        settings = {"bootstrap.servers": bootstrap, "group.id": "faultline-incidents", "enable.auto.commit": False}
        limits = {"fetch.message.max.bytes": MAX_MESSAGE_BYTES, "queued.max.messages.kbytes": 16384}
        # An offset that is gone is told, and not passed over: by default the client would jump to the end.
        self._consumer = Consumer({**settings, **limits, "auto.offset.reset": "error", "log_level": QUIET})
        self._topic = topic
        self._begun: dict[int, int] = {}  # where each partition was assigned
        self.gaps = 0  # how often records were dropped by the broker before they were read

    def seek(self, offsets: Mapping[int, int]) -> None:
        """Go to the next offset of each partition, to the beginning of those that have none.

        Raises SinkUnavailable when the broker does not answer or has no such topic.
        """
        self._assign({p: offsets.get(p, OFFSET_BEGINNING) for p in self._partitions()})

    def poll(self, seconds: float) -> list[Message]:
        """Return what has come within so many seconds.

        Where the broker has dropped records that were not read yet, that is said and counted in `gaps`, and reading
        goes on from the oldest that is there.
        """
        found = []
        for message in self._consumer.consume(BATCH, seconds):
            error = message.error()
            if error is None:
                found.append(message)
            elif error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
                self._go_on(message.partition() or 0, error)
        return found

    def _go_on(self, partition: int, error: KafkaError) -> None:
        self.gaps += 1
        place = {"topic": self._topic, "partition": partition, "error": error.str()}
        logger.error("records were dropped before they were read; going on from the oldest", extra=place)
        # The client has given the partition up: only being assigned anew makes it fetch from there again.
        reached = {at.partition: at.offset for at in self._consumer.position(self._consumer.assignment())}
        going_on = {p: reached[p] if reached.get(p, -1) >= 0 else begin for p, begin in self._begun.items()}
        self._assign({**going_on, partition: OFFSET_BEGINNING})

    def between(self, begin: datetime, end: datetime, limit: int) -> Iterator[bytes]:
        """Yield the values that the broker took between two times, at most `limit`; raises SinkUnavailable."""
        starts = self._offsets_at(begin)
        ends = {partition: self._watermark(partition) for partition in starts}
        open_ = {partition for partition, start in starts.items() if start != OFFSET_END and start < ends[partition]}
        if not open_:
            return
        self._assign({partition: starts[partition] for partition in open_})
        last = end.timestamp() * 1000
        until = monotonic() + ANSWER_SECONDS
        while open_ and limit > 0 and monotonic() < until:
            for message in self._consumer.consume(min(BATCH, limit), 0.2):
                partition, offset = message.partition(), message.offset()
                if message.error() is not None or partition is None or offset is None:
                    continue
                limit -= 1
                if offset >= ends[partition] - 1 or message.timestamp()[1] > last:
                    open_.discard(partition)
                if message.timestamp()[1] <= last:
                    yield message.value() or b""

    def close(self) -> None:
        """End the connection."""
        self._consumer.close()

    def _partitions(self) -> list[int]:
        try:
            found = self._consumer.list_topics(self._topic, timeout=ANSWER_SECONDS).topics[self._topic]
        except KafkaException as error:
            raise SinkUnavailable(f"{self._topic}: the broker does not answer: {error}", 1.0) from error
        if found.error is not None:
            raise SinkUnavailable(f"{self._topic}: {found.error.str()}", 1.0)
        return sorted(found.partitions)

    def _offsets_at(self, moment: datetime) -> dict[int, int]:
        asked = [TopicPartition(self._topic, p, int(moment.timestamp() * 1000)) for p in self._partitions()]
        try:
            return {found.partition: found.offset for found in self._consumer.offsets_for_times(asked, ANSWER_SECONDS)}
        except KafkaException as error:
            raise SinkUnavailable(f"{self._topic}: the broker does not answer: {error}", 1.0) from error

    def _watermark(self, partition: int) -> int:
        try:
            return int(self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), ANSWER_SECONDS)[1])
        except KafkaException as error:
            raise SinkUnavailable(f"{self._topic}: the broker does not answer: {error}", 1.0) from error

    def _assign(self, offsets: Mapping[int, int]) -> None:
        self._begun = dict(offsets)
        self._consumer.assign([TopicPartition(self._topic, partition, at) for partition, at in offsets.items()])
