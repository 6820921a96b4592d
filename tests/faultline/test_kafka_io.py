"""Kafka clients against a real broker; topics.yaml against what the code assumes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from faultline.config import REPOSITORY, Topics
from faultline.errors import ConfigError, SinkUnavailable
from faultline.kafka_io import (
    MAX_MESSAGE_BYTES,
    create_topics,
    declared_topics,
    headers_of,
    last_messages,
    make_producer,
    read_topic,
)
from faultline.records import MAX_RECORD_BYTES

DECLARED = REPOSITORY / "kafka" / "topics.yaml"
TopicFactory = Callable[..., str]


def test_declared_topics_are_those_of_the_configuration() -> None:
    assert [topic.topic for topic in declared_topics(DECLARED)] == list(astuple(Topics()))


def test_every_topic_takes_the_largest_message() -> None:
    for topic in declared_topics(DECLARED):
        assert int(topic.config["max.message.bytes"]) == MAX_MESSAGE_BYTES > MAX_RECORD_BYTES


def test_a_topic_without_partitions_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "topics.yaml"
    path.write_text("topics:\n  - name: logs\n    config: {}\n")
    with pytest.raises(ConfigError, match=r"topics\.yaml is .*'logs'.*, expected name, partitions and config in each"):
        declared_topics(path)


def test_a_broker_that_does_not_answer_gives_no_last_messages() -> None:
    assert last_messages("127.0.0.1:1", "logs", 5) == []


def send(bootstrap: str, topic: str, values: list[bytes], partition: int = 0) -> None:
    producer = make_producer(bootstrap, "test")
    for number, value in enumerate(values):
        producer.produce(topic, value, partition=partition, headers={"number": str(number), "binary": b"\xff"})
    assert producer.flush(30) == 0


@pytest.mark.integration
def test_creating_topics_twice_changes_nothing(kafka_bootstrap: str, topics: TopicFactory) -> None:
    topic = topics(partitions=2)
    assert create_topics(kafka_bootstrap, [NewTopic(topic, 5, 1)]) == []
    found = AdminClient({"bootstrap.servers": kafka_bootstrap}).list_topics(topic, timeout=10)
    assert sorted(found.topics[topic].partitions) == [0, 1]


@pytest.mark.integration
def test_a_topic_is_read_to_its_end_with_all_partitions(kafka_bootstrap: str, topics: TopicFactory) -> None:
    topic = topics(partitions=3)
    send(kafka_bootstrap, topic, [b"a", b"b"], partition=0)
    send(kafka_bootstrap, topic, [b"c"], partition=2)
    assert sorted(message.value() for message in read_topic(kafka_bootstrap, topic)) == [b"a", b"b", b"c"]
    assert len(list(read_topic(kafka_bootstrap, topic))) == 3  # nothing was committed


@pytest.mark.integration
def test_an_empty_topic_yields_nothing_and_a_missing_one_is_an_error(
    kafka_bootstrap: str, topics: TopicFactory
) -> None:
    assert list(read_topic(kafka_bootstrap, topics())) == []
    missing = f"missing-{uuid4().hex}"
    with pytest.raises(SinkUnavailable, match=f"{missing}: the broker has no such topic; next try in 1 s"):
        list(read_topic(kafka_bootstrap, missing))


@pytest.mark.integration
def test_headers_are_text(kafka_bootstrap: str, topics: TopicFactory) -> None:
    topic = topics()
    send(kafka_bootstrap, topic, [b"a"])
    (message,) = read_topic(kafka_bootstrap, topic)
    assert headers_of(message) == {"number": "0", "binary": "\ufffd"}


@pytest.mark.integration
def test_the_last_messages_come_oldest_first(kafka_bootstrap: str, topics: TopicFactory) -> None:
    topic = topics()
    assert last_messages(kafka_bootstrap, topic, 2) == []
    send(kafka_bootstrap, topic, [b"1", b"2", b"3"])
    assert [message.value() for message in last_messages(kafka_bootstrap, topic, 2)] == [b"2", b"3"]
    assert [message.value() for message in last_messages(kafka_bootstrap, topic, 9)] == [b"1", b"2", b"3"]


@pytest.mark.integration
def test_a_message_as_large_as_the_topic_takes_arrives(kafka_bootstrap: str, topics: TopicFactory) -> None:
    topic = topics(config={"max.message.bytes": str(MAX_MESSAGE_BYTES)})
    value = b"x" * (MAX_MESSAGE_BYTES - 1024)
    send(kafka_bootstrap, topic, [value])
    assert [message.value() for message in read_topic(kafka_bootstrap, topic)] == [value]
