"""Reading topics of a real broker at a place or a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import monotonic
from uuid import uuid4

import pytest
from confluent_kafka import Message
from confluent_kafka.admin import NewTopic

from faultline.errors import SinkUnavailable
from faultline.kafka_io import create_topics, make_producer
from incidents.kafka import TopicReader

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def topic(kafka_bootstrap: str) -> str:
    """A topic with ten records, a second apart, in one partition."""
    name = f"read-{uuid4().hex}"
    # Its records are old: without this the broker may drop them in the middle of a test.
    kept = {"retention.ms": "-1"}
    create_topics(kafka_bootstrap, [NewTopic(name, num_partitions=1, replication_factor=1, config=kept)])
    producer = make_producer(kafka_bootstrap, "test")
    for second in range(10):
        moment = int((NOON + timedelta(seconds=second)).timestamp() * 1000)
        producer.produce(name, value=str(second).encode(), partition=0, timestamp=moment)
    assert producer.flush(20) == 0
    return name


@pytest.fixture
def reader(kafka_bootstrap: str, topic: str) -> Iterator[TopicReader]:
    reader = TopicReader(kafka_bootstrap, topic)
    yield reader
    reader.close()


def take(reader: TopicReader, count: int) -> list[str]:
    found: list[Message] = []
    deadline = monotonic() + 20
    while len(found) < count and monotonic() < deadline:
        found += reader.poll(0.5)
    return [(message.value() or b"").decode() for message in found]


def test_topic_is_read_from_the_next_offset_on(reader: TopicReader) -> None:
    reader.seek({0: 7})
    assert take(reader, 3) == ["7", "8", "9"]
    reader.seek({})
    assert take(reader, 10) == [str(second) for second in range(10)]


def test_time_is_read_from_its_begin_to_its_end(reader: TopicReader) -> None:
    found = reader.between(NOON + timedelta(seconds=3), NOON + timedelta(seconds=5), 100)
    assert list(found) == [b"3", b"4", b"5"]
    assert list(reader.between(NOON + timedelta(hours=1), NOON + timedelta(hours=2), 100)) == []
    assert list(reader.between(NOON, NOON + timedelta(hours=1), 4)) == [b"0", b"1", b"2", b"3"]


def test_offset_that_is_gone_is_told_and_reading_goes_on(reader: TopicReader, caplog: pytest.LogCaptureFixture) -> None:
    reader.seek({0: 5000})
    assert take(reader, 10) == [str(second) for second in range(10)]
    assert reader.gaps == 1
    assert "records were dropped before they were read" in caplog.text


def test_topic_that_is_not_there_is_an_error() -> None:
    reader = TopicReader("127.0.0.1:9", "logs")
    with pytest.raises(SinkUnavailable, match="logs: the broker does not answer"):
        reader.seek({})
    reader.close()
