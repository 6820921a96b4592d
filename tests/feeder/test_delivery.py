import pytest
from confluent_kafka import KafkaError, KafkaException
from prometheus_client import CollectorRegistry

from faultline.config import Topics
from faultline.errors import SinkUnavailable
from faultline.metrics import FeederMetrics
from feeder import delivery as module
from feeder.delivery import Delivery
from feeder.origin import plain_event


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def delivery(producer, registry):
    return Delivery(producer, Topics(), FeederMetrics(registry))


@pytest.fixture
def send(delivery, make_origin):
    done = []

    def send(body=b"hello"):
        event = plain_event(make_origin(), body)
        return delivery.send(event, event.to_bytes(), lambda: done.append(body))

    send.done = done
    return send


def test_record_goes_to_topic_logs_under_its_service(producer, send):
    assert send()
    [sent] = producer.sent
    assert (sent.topic, sent.key, sent.headers) == ("logs", "shop", {})
    assert b'"body":"hello"' in sent.value


def test_line_is_acknowledged_when_the_broker_has_it_and_not_before(producer, delivery, send, registry):
    producer.acknowledging = False
    send()
    delivery.serve(0)
    acknowledged = "faultline_feeder_records_acknowledged_total"
    kind = {"source_type": "app_container_log"}
    assert (send.done, registry.get_sample_value(acknowledged, kind)) == ([], None)
    producer.acknowledge()
    assert (send.done, registry.get_sample_value(acknowledged, kind)) == ([b"hello"], 1)
    assert registry.get_sample_value("faultline_feeder_lines_read_total", kind) == 1


def test_piece_goes_to_the_dead_letters_as_it_is(producer, delivery, registry):
    headers = {"reason": "line_too_long", "source_type": "nginx_access", "service_name": "nginx"}
    done = []
    assert delivery.set_aside(b"\xff\x00", headers, lambda: done.append(1))
    [sent] = producer.sent
    assert (sent.topic, sent.value, sent.key, sent.headers) == ("logs-dead-letter", b"\xff\x00", "nginx", headers)
    assert done == [1]
    labels = {"source_type": "nginx_access", "reason": "line_too_long"}
    assert registry.get_sample_value("faultline_feeder_dead_lettered_total", labels) == 1


def test_refused_record_is_not_acknowledged_and_ends_the_feeder(producer, delivery, send):
    producer.refusal = "Broker: Unknown topic or partition"
    send()
    assert send.done == []
    expected = r"^logs: the broker refused a record of \d+ bytes: Broker: Unknown topic or partition;"
    with pytest.raises(SinkUnavailable, match=expected + r" are the topics of kafka/topics.yaml there\?; next try in"):
        send()
    with pytest.raises(SinkUnavailable):
        delivery.serve(0)
    assert len(producer.sent) == 1


def test_producer_that_cannot_go_on_ends_the_feeder(producer, send):
    producer.broken = KafkaException(KafkaError(KafkaError._FATAL))
    with pytest.raises(SinkUnavailable, match="logs: the producer cannot go on: "):
        send()


@pytest.fixture
def full(producer, monkeypatch):
    """Room for one record; it is free again when `rounds` waits have passed."""
    producer.capacity, producer.acknowledging = 1, False
    waits = []

    def poll(timeout):
        waits.append(timeout)
        return 0

    monkeypatch.setattr(producer, "poll", poll)
    return waits


def test_full_queue_waits_until_there_is_room(producer, delivery, send, full):
    told = []

    def waiting():
        told.append(1)
        if len(told) == 3:
            producer.acknowledge()

    delivery.while_full(lambda: False, waiting)
    assert send(b"1") and send(b"2")
    assert (len(told), [b'"1"' in sent.value for sent in producer.sent]) == (3, [True, False])


def test_full_queue_is_given_up_when_asked_to_stop(producer, delivery, send, full):
    asked = []

    def stopping():
        asked.append(1)
        return len(asked) > 5

    delivery.while_full(stopping, lambda: None)
    assert send(b"1")
    assert not send(b"2")
    assert (len(producer.sent), send.done) == (1, [])


def test_own_limit_bounds_what_is_not_acknowledged(producer, delivery, send, monkeypatch):
    monkeypatch.setattr(module, "MAX_IN_FLIGHT", 2)
    producer.acknowledging = False
    delivery.while_full(lambda: len(producer) >= 2, lambda: None)
    assert [send(), send(), send()] == [True, True, False]


@pytest.mark.usefixtures("full")
def test_broker_that_is_away_is_said_now_and_then(delivery, send, monkeypatch, caplog):
    now = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    delivery._last_complaint = now[0]

    def waiting():
        now[0] += 1

    delivery.while_full(lambda: now[0] > 125, waiting)
    send(b"1")
    send(b"2")
    assert [record.getMessage() for record in caplog.records] == ["the broker takes no records; reading waits"] * 2
    assert caplog.records[0].unacknowledged == 1


def test_close_says_how_many_are_left(producer, delivery, send):
    producer.acknowledging = False
    send()
    assert delivery.close(0) == 1
    producer.acknowledging = True
    assert delivery.close(0) == 0
    assert send.done == [b"hello"]
