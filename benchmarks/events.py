"""Synthetic records: a fixed number of templates, ids and amounts that vary from line to line."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from confluent_kafka import Producer

from faultline.kafka_io import make_producer
from faultline.records import Event, Severity, SourceType, make_event_id

_WORDS = (  # noqa: SIM905 - sixty words read better as text
    "order payment customer session cache request upstream worker queue stock invoice shipment basket token profile"
    " search index page template image thread batch record cursor lease shard replica offset commit segment bucket"
    " accepted started finished loaded refreshed expired closed opened resolved scheduled rejected skipped merged sent"
).split()
EVENTS_PER_SECOND = 15_000  # of event time: what both detectors together have to keep up with
LINES_PER_TRACE = 5
SERVICES = ("storefront", "orders", "payments", "inventory", "search", "mail", "stock", "login")


def make_templates(count: int, seed: int = 7) -> list[str]:
    """Return `count` distinct sentences with {} where a value goes."""
    rng = random.Random(seed)
    templates: dict[str, None] = {}
    while len(templates) < count:
        words = rng.sample(_WORDS, rng.randint(5, 9))
        for position in sorted(rng.sample(range(1, len(words) + 1), 2), reverse=True):
            words.insert(position, "{}")
        templates[" ".join(words)] = None
    return list(templates)


def make_event(rng: random.Random, template: str, number: int, moment: datetime) -> Event:
    """Return one record of about 400 bytes."""
    service = SERVICES[hash_of(template) % len(SERVICES)]
    body = template.format(number, f"{rng.random() * 90:.2f}")
    path = f"/var/log/{service}.log"
    return Event(
        attributes={"log.file.path": path, "log.file.offset": str(number), "request_id": f"{rng.getrandbits(64):016x}"},
        body=body,
        event_id=make_event_id("bench", path, number, body.encode()),
        host_name="bench",
        measures={"duration_ms": round(rng.random() * 100, 3)},
        observed_timestamp=moment,
        service_name=service,
        severity=Severity.INFO,
        source_type=SourceType.APP_CONTAINER_LOG,
        timestamp=moment,
        trace_id=f"{number // LINES_PER_TRACE:032x}",
    )


def hash_of(text: str) -> int:
    """Return a hash that is the same in every process."""
    return sum(text.encode())


def make_records(count: int, templates: list[str], seed: int = 11) -> Iterator[bytes]:
    """Yield `count` encoded records, EVENTS_PER_SECOND of them in each second of event time, which ends now.

    Every template comes up, some far more often than others.
    """
    rng = random.Random(seed)
    begin = datetime.now(UTC) - timedelta(seconds=count / EVENTS_PER_SECOND)
    for number in range(count):
        rank = number if number < len(templates) else int(len(templates) * rng.random() ** 3)
        moment = begin + timedelta(seconds=number / EVENTS_PER_SECOND)
        yield make_event(rng, templates[rank], number, moment).to_bytes()


def produce(bootstrap: str, topic: str, records: Iterable[bytes]) -> int:
    """Write records to both partitions; return how many that were."""
    producer = make_producer(bootstrap, "bench")
    sent = 0
    for record in records:
        _send(producer, topic, record, sent % 2)
        sent += 1
    producer.flush()
    return sent


def _send(producer: Producer, topic: str, record: bytes, partition: int) -> None:
    while True:
        try:
            producer.produce(topic, record, partition=partition)
            return
        except BufferError:
            producer.poll(0.1)
