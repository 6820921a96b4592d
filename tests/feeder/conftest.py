"""A producer in memory, and a feeder around it whose clock, folder and restarts belong to the test."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from faultline.config import FeederConfig, Topics
from faultline.metrics import FeederMetrics
from faultline.records import SourceType
from feeder.delivery import Delivery
from feeder.finding import Refusals
from feeder.offsets import load_offsets, saved_at
from feeder.origin import Origin
from feeder.polling import Pollers
from feeder.service import Feeder
from feeder.sources import PARSERS, FileSource
from feeder.watching import Watcher

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


class Sent:
    """A record handed to the producer."""

    def __init__(self, topic: str, value: bytes, options: dict[str, Any]) -> None:
        self.topic, self.value, self.key = topic, value, options["key"]
        self.headers = dict(options["headers"])
        self.on_delivery = options["on_delivery"]


class MemoryProducer:
    """The broker and its client: `acknowledging` or late, `capacity` records wide, `refusal` as its answer."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.waiting: list[Sent] = []
        self.acknowledging = True
        self.capacity = 1_000_000
        self.refusal: str | None = None
        self.broken: Exception | None = None

    def produce(self, topic: str, value: bytes, **options: Any) -> None:
        if self.broken:
            raise self.broken
        if len(self.waiting) >= self.capacity:
            raise BufferError("Local: Queue full")
        record = Sent(topic, value, options)
        self.sent.append(record)
        self.waiting.append(record)

    def poll(self, timeout: float) -> int:
        return self.acknowledge() if self.acknowledging else 0

    def acknowledge(self, which: slice = slice(None)) -> int:
        done = self.waiting[which]
        self.waiting = [record for record in self.waiting if record not in done]
        for record in done:
            record.on_delivery(self.refusal, None)
        return len(done)

    def flush(self, timeout: float) -> int:
        self.poll(timeout)
        return len(self.waiting)

    def __len__(self) -> int:
        return len(self.waiting)


class Run:
    """One life of a feeder; `stop` ends it well, dropping it is a kill."""

    def __init__(self, home: Path, sources: list[FileSource], clock: Callable[[], float], max_line: int) -> None:
        self.config = FeederConfig.from_env({"FAULTLINE_HOME": str(home), "FAULTLINE_MAX_LINE_BYTES": str(max_line)})
        self.producer = MemoryProducer()
        self.registry = CollectorRegistry()
        metrics = FeederMetrics(self.registry)
        self.delivery = Delivery(self.producer, Topics(), metrics)
        self.refusals = Refusals(metrics.count_source_error)
        stored = load_offsets(self.config.state)
        last = saved_at(self.config.state)
        self.watcher = Watcher(sources, stored, max_line, saved_at=last, refusals=self.refusals, clock=clock)
        self.pollers = Pollers([], self.config.host_name)
        self.feeder = Feeder(self.config, self.watcher, self.pollers, self.delivery, metrics)

    def rounds(self, n: int = 1) -> list[str]:
        """Run n rounds, save, and return the bodies sent to topic logs so far."""
        for _ in range(n):
            self.feeder.round()
            self.delivery.serve(0)
        self.feeder.save()
        return self.bodies

    def stop(self) -> None:
        self.feeder.run(lambda: True)

    @property
    def records(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(sent.value) for sent in self.producer.sent if sent.topic == "logs"]

    @property
    def bodies(self) -> list[str]:
        return [record["body"] for record in self.records]

    @property
    def dead_letters(self) -> list[Sent]:
        return [sent for sent in self.producer.sent if sent.topic == "logs-dead-letter"]

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


class Machine:
    """A folder of logs, a clock that stands, and one feeder after the other."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.logs = home / "logs"
        self.logs.mkdir()
        self.now = 0.0
        self.max_line = 1024
        self.sources = [self.source("*.log")]
        self._runs: list[Run] = []

    def source(self, pattern: str, *, from_end: bool = False) -> FileSource:
        parser = PARSERS[SourceType.APP_CONTAINER_LOG]["plain"]
        return FileSource(SourceType.APP_CONTAINER_LOG, str(self.logs / pattern), "@file", parser, from_end)

    def path(self, name: str = "app.log") -> Path:
        return self.logs / name

    def write(self, text: str | bytes, name: str = "app.log") -> None:
        with self.path(name).open("ab") as file:
            file.write(text if isinstance(text, bytes) else text.encode())

    def start(self) -> Run:
        run = Run(self.home, self.sources, lambda: self.now, self.max_line)
        self._runs.append(run)
        return run

    def close(self) -> None:
        for run in self._runs:
            run.watcher.close()


@pytest.fixture
def producer() -> MemoryProducer:
    return MemoryProducer()


@pytest.fixture
def machine(tmp_path: Path):
    machine = Machine(tmp_path)
    yield machine
    machine.close()


@pytest.fixture
def make_machine():
    """The class Machine, for tests that need a fresh folder per example."""
    return Machine


@pytest.fixture
def make_origin() -> Callable[..., Origin]:
    """A function `make_origin(kind)`: the place every parser test reads from."""

    def make(kind: str = "app_container_log", **changes: Any) -> Origin:
        fields: dict[str, Any] = {
            "source_type": SourceType(kind),
            "service_name": "shop",
            "host_name": "h1",
            "path": "/var/log/x.log",
            "offset": 42,
            "observed_timestamp": MOMENT,
        }
        return Origin(**(fields | changes))

    return make
