"""The last abnormal lines, as a terminal may show them."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer

from faultline.recent import recent_anomalies
from tests.anomalies import make_service_anomaly
from tests.conftest import TopicFactory


@pytest.mark.integration
def test_last_lines_oldest_first_and_bad_records_are_said(kafka_bootstrap: str, topics: TopicFactory) -> None:
    topic = topics("anomalies")
    assert recent_anomalies(kafka_bootstrap, topic, 5) == []
    producer = Producer({"bootstrap.servers": kafka_bootstrap})
    for number in range(4):
        producer.produce(topic, b"not json %d" % number)
    assert producer.flush(30) == 0
    lines = recent_anomalies(kafka_bootstrap, topic, 2)
    assert [line.split(":")[0] for line in lines] == [f"{topic}@2", f"{topic}@3"]
    assert "not_json" in lines[0]


@pytest.mark.integration
def test_no_broker_gives_no_line() -> None:
    assert recent_anomalies("127.0.0.1:9", "anomalies", 5) == []


@pytest.mark.integration
def test_a_service_is_shown_with_what_it_does(kafka_bootstrap: str, topics: TopicFactory) -> None:
    topic = topics("anomalies")
    service = make_service_anomaly(explanation="orders: lines in 5s 0 instead of 25\x1b[2J")
    producer = Producer({"bootstrap.servers": kafka_bootstrap})
    producer.produce(topic, service.to_bytes())
    assert producer.flush(30) == 0
    (shown,) = recent_anomalies(kafka_bootstrap, topic, 2)
    assert shown.split()[1:3] == ["orders", "9.00"]
    assert shown.endswith("orders: lines in 5s 0 instead of 25?[2J")
