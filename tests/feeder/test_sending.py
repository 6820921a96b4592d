import pytest
from prometheus_client import CollectorRegistry

from faultline.config import Topics
from faultline.metrics import FeederMetrics
from faultline.records import DEAD_LETTER_REASONS, Event, SourceType, make_event_id
from feeder.delivery import Delivery
from feeder.lines import Line
from feeder.nginx_access import parse_combined
from feeder.sending import LineSender
from feeder.sources import FileSource

SOURCE = FileSource(SourceType.NGINX_ACCESS, "/l/*.log", "@file", parse_combined, from_end=False)


@pytest.fixture
def send(producer):
    done = []
    sender = LineSender(Delivery(producer, Topics(), FeederMetrics(CollectorRegistry())), "h1")

    def send(line: Line):
        return sender.send(SOURCE, "/l/shop.log", line, lambda: done.append(line.offset))

    send.done = done
    return send


def test_line(producer, send):
    assert send(Line(7, 12, b"hello"))
    [sent] = producer.sent
    event = Event.from_bytes(sent.value)
    assert (event.body, event.service_name, event.host_name) == ("hello", "shop", "h1")
    assert event.event_id == make_event_id("h1", "/l/shop.log", 7, b"hello")
    assert send.done == [7]


def test_piece_of_a_long_line(producer, send):
    assert send(Line(7, 12, b"x\xff", too_long=True))
    [sent] = producer.sent
    assert (sent.topic, sent.value, sent.key) == ("logs-dead-letter", b"x\xff", "shop")
    assert sent.headers == {
        "reason": "line_too_long",
        "source_type": "nginx_access",
        "service_name": "shop",
        "detail": "a piece of a line longer than FAULTLINE_MAX_LINE_BYTES; pieces follow each other by offset",
        "log.file.path": "/l/shop.log",
        "log.file.offset": "7",
        "event_id": make_event_id("h1", "/l/shop.log", 7, b"x\xff"),
    }
    assert send.done == [7]


def test_line_whose_record_is_above_the_limit_is_set_aside_whole(producer, send):
    line = b'h - - [02/Jan/2026:03:04:05 +0000] "GET /' + b"\x01" * 200_000 + b'\xff HTTP/1.1" 200 5'
    assert send(Line(0, 1, line))
    [sent] = producer.sent
    assert (sent.topic, sent.value, sent.headers["reason"]) == ("logs-dead-letter", line, "too_large")
    assert sent.headers["detail"].endswith(" bytes, expected at most 2097152")
    assert send.done == [0]


def test_reasons_are_of_the_closed_set(producer, send):
    send(Line(0, 1, b"x", too_long=True))
    assert producer.sent[0].headers["reason"] in DEAD_LETTER_REASONS
    assert "too_large" in DEAD_LETTER_REASONS
