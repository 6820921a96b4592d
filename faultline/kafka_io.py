"""Builders for Kafka clients, with the delivery settings every component must share."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import yaml
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from faultline.errors import ConfigError, SinkUnavailable

QUIET = 0  # librdkafka prints nothing of its own: what goes wrong is raised or returned
MAX_MESSAGE_BYTES = 4 * 1024 * 1024  # equals max.message.bytes in kafka/topics.yaml


def make_producer(bootstrap: str, client_id: str) -> Producer:
    """Return an idempotent producer: acknowledged by all replicas, in order, no duplicate from a retry.

    It keeps retrying while the broker is away (no delivery time-out); its queue is bounded by 64 MiB, and
    `produce` raises BufferError when it is full: back-pressure for the caller.
    """
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "client.id": client_id,
            "enable.idempotence": True,
            "acks": "all",
            "delivery.timeout.ms": 0,  # 0: no limit
            "linger.ms": 5,
            "compression.type": "lz4",
            "message.max.bytes": MAX_MESSAGE_BYTES,
            "queue.buffering.max.kbytes": 65536,
            "queue.buffering.max.messages": 100_000,
            "log_level": QUIET,
        },
        logger=logging.getLogger("kafka"),
    )


def read_topic(bootstrap: str, topic: str, idle_seconds: float = 10.0) -> Iterator[Message]:
    """Yield every message now in the topic, from the beginning to the end offsets seen at the start.

    Joins no consumer group and commits nothing. Raises SinkUnavailable when nothing comes for `idle_seconds`, or
    when there is no such topic.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "faultline-read-topic",
            "enable.auto.commit": False,
            "log_level": QUIET,
            "fetch.message.max.bytes": MAX_MESSAGE_BYTES,
        }
    )
    try:
        ends = _end_offsets(consumer, topic)
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in ends])
        last = monotonic()
        while ends:
            message = consumer.poll(0.2)
            if message is None or message.error():
                if monotonic() - last > idle_seconds:
                    raise SinkUnavailable(f"{topic}: no message for {idle_seconds:g} s, {len(ends)} partitions open", 1)
                continue
            last = monotonic()
            partition, offset = message.partition(), message.offset()
            if partition is None or offset is None or partition not in ends:
                continue
            if offset < ends[partition]:
                yield message
            if offset >= ends[partition] - 1:
                del ends[partition]
    finally:
        consumer.close()


def last_messages(bootstrap: str, topic: str, count: int) -> list[Message]:
    """Return up to `count` last messages of a topic with one partition; empty when nothing answers in 5 s."""
    settings = {"bootstrap.servers": bootstrap, "group.id": "faultline-last", "enable.auto.commit": False}
    consumer = Consumer({**settings, "log_level": QUIET})
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=5)
        if high == low:
            return []
        consumer.assign([TopicPartition(topic, 0, max(low, high - count))])
        messages = consumer.consume(min(count, high - low), timeout=5)
        return [message for message in messages if not message.error()]
    except KafkaException:
        return []
    finally:
        consumer.close()


def _end_offsets(consumer: Consumer, topic: str) -> dict[int, int]:
    """Return the end offset of each partition that holds at least one message."""
    found = consumer.list_topics(topic, timeout=10).topics[topic]
    if found.error is not None:
        raise SinkUnavailable(f"{topic}: the broker has no such topic", 1)
    partitions = found.partitions
    ends: dict[int, int] = {}
    for partition in partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
        if high > low:
            ends[partition] = high
    return ends


def headers_of(message: Message) -> dict[str, str]:
    """Return a message's headers as text."""
    pairs: Any = message.headers() or []
    return {key: (value or b"").decode("utf-8", "replace") for key, value in pairs}


def declared_topics(path: Path) -> list[NewTopic]:
    """Read kafka/topics.yaml; raises ConfigError when an entry lacks a name or partitions."""
    entries = yaml.safe_load(path.read_text())["topics"]
    for entry in entries:
        if not {"name", "partitions", "config"} <= set(entry):
            raise ConfigError(str(path), entry, "name, partitions and config in each topic")
    return [
        NewTopic(
            entry["name"],
            num_partitions=entry["partitions"],
            replication_factor=1,
            config={key: str(value) for key, value in entry["config"].items()},
        )
        for entry in entries
    ]


def create_topics(bootstrap: str, topics: list[NewTopic]) -> list[str]:
    """Create the topics that are missing and return their names; what exists is left as it is."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": QUIET})
    created = []
    for name, future in admin.create_topics(topics, request_timeout=30).items():
        try:
            future.result()
            created.append(name)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
    return created
