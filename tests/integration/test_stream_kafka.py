"""The streaming job as it is submitted, between a real broker and a real model: counts, dead letters, restarts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse
from uuid import uuid4

import psutil
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic
from prometheus_client.parser import text_string_to_metric_families

from faultline.anomalies import Anomaly, read_anomaly
from faultline.artifact import read_manifest, write_manifest
from faultline.config import REPOSITORY, Paths, StreamConfig
from faultline.kafka_io import create_topics, declared_topics, headers_of, make_producer, read_topic
from faultline.records import Event, Severity, SourceType
from faultline.registry import Registry, Training
from faultline.stack.progress import Progress
from faultline.stack.spark_submit import submit_command
from faultline.stack.training import train

pytestmark = pytest.mark.integration

START_SECONDS = 120.0
Place = tuple[int, int]


def make_event(body: str, **changes: Any) -> Event:
    """Return an event of the shop, observed now, with an id of its own."""
    now = datetime.now(UTC)
    fields: dict[str, Any] = {
        "attributes": {},
        "body": body,
        "event_id": uuid4().hex,
        "host_name": "localhost",
        "measures": {},
        "observed_timestamp": now,
        "service_name": "orders",
        "severity": Severity.INFO,
        "source_type": SourceType.APP_CONTAINER_LOG,
        "timestamp": now,
        "trace_id": "",
    }
    return Event(**{**fields, **changes})


def normal_events() -> list[Event]:
    """Return five minutes of a service that is well."""
    start = datetime.now(UTC) - timedelta(minutes=5)
    return [
        make_event(body, timestamp=start + timedelta(seconds=second), observed_timestamp=start + timedelta(minutes=5))
        for second in range(0, 300, 2)
        for body in (f"order {second} placed for customer {second % 7}", f"charged {second}.50 EUR for order {second}")
    ]


def abnormal_event() -> Event:
    return make_event("payments failed: connection refused by peer", severity=Severity.ERROR)


def until(found: Callable[[], Any], accept: Callable[[Any], bool], what: str, seconds: float = START_SECONDS) -> Any:
    """Poll until a value is accepted; show the last value when none is."""
    end = time.monotonic() + seconds
    while not accept(last := found()):
        if time.monotonic() > end:
            pytest.fail(f"waited {seconds:.0f} s for {what}; last seen: {last}")
        time.sleep(0.1)
    return last


def session_members(session: int) -> list[str]:
    """Return the processes that still live in a session: driver, JVM, Python workers."""
    members = []
    for process in psutil.process_iter(["name", "status"]):
        try:
            if os.getsid(process.pid) == session and process.info["status"] != psutil.STATUS_ZOMBIE:
                members.append(process.info["name"])
        except ProcessLookupError:
            continue
    return members


KINDS = ("LOGS", "DEAD_LETTER", "ANOMALIES", "CHANGES", "INCIDENTS", "FEEDBACK")


class Pipeline:
    """Topics of one stream, what was sent to them, and the job between them."""

    def __init__(self, environ: Mapping[str, str], home: Path) -> None:
        name = uuid4().hex
        topics = {f"FAULTLINE_TOPIC_{kind}": f"{kind}-{name}" for kind in KINDS}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        checkpoint = {"FAULTLINE_CHECKPOINT": str(home / f"checkpoint-{name}"), "FAULTLINE_PORT_STREAM": str(port)}
        self.environ = {**environ, **topics, **checkpoint}
        self.config = StreamConfig.from_env(self.environ)
        self.log = home / f"stream-{name}.log"
        names = astuple(self.config.topics)
        declared = declared_topics(REPOSITORY / "kafka" / "topics.yaml")
        made = [
            NewTopic(own, topic.num_partitions, 1, config=topic.config)
            for own, topic in zip(names, declared, strict=True)
        ]
        assert sorted(create_topics(self.config.bootstrap, made)) == sorted(names)
        self.sent = 0

    def send(self, *values: bytes | None) -> list[Place]:
        """Send records and return (partition, offset) of each."""
        producer = make_producer(self.config.bootstrap, "test")
        places: list[Place | None] = [None] * len(values)
        for number, value in enumerate(values):

            def remember(error: Any, message: Any, number: int = number) -> None:
                assert error is None, error
                places[number] = (message.partition(), message.offset())

            producer.produce(self.config.topics.logs, value, partition=number % 2, on_delivery=remember)
            producer.poll(0)
        assert producer.flush(60) == 0
        self.sent += len(values)
        return [place for place in places if place is not None]

    @contextmanager
    def running(self, ending: signal.Signals = signal.SIGTERM, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run the job; at the end its driver gets a signal, as the stack sends it, and no process stays."""
        argv, environ = submit_command("semantic_inference", (), {**self.environ, **settings})
        with (
            self.log.open("ab") as log,
            subprocess.Popen(argv, env=environ, stdout=log, stderr=log, start_new_session=True) as process,
        ):
            try:
                until(self.metrics, lambda found: bool(found) or process.poll() is not None, "the job's metrics")
                assert process.poll() is None, self.log.read_text()[-3000:]
                yield process
                assert process.poll() is None, self.log.read_text()[-3000:]
            finally:
                process.send_signal(ending)
                status = process.wait(60)
                until(lambda: session_members(process.pid), lambda left: not left, "the end of the job", 30)
        assert status == (0 if ending is signal.SIGTERM else -ending), self.log.read_text()[-3000:]

    def metrics(self) -> dict[str, float]:
        """Return the sum of each metric over its labels; nothing when the job does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.config.metrics_port}/metrics", timeout=5) as page:
                text = page.read().decode()
        except (urllib.error.URLError, ConnectionError):
            return {}
        totals: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                totals[sample.name] = totals.get(sample.name, 0.0) + sample.value
        return totals

    def model_versions(self) -> set[str]:
        """Return the versions that the metrics call in use."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.config.metrics_port}/metrics", timeout=5) as page:
            families = list(text_string_to_metric_families(page.read().decode()))
        samples = [sample for family in families for sample in family.samples]
        return {sample.labels["version"] for sample in samples if sample.name == "faultline_model_info"}

    def await_all(self) -> dict[str, float]:
        """Wait until all that was sent has been read, and return the metrics, which add up."""
        found: dict[str, float] = until(
            self.metrics, lambda seen: seen.get("faultline_events_read_total") == self.sent, f"{self.sent} read"
        )
        scored, rejected = (
            found.get("faultline_events_scored_total", 0),
            found.get("faultline_events_dead_lettered_total", 0),
        )
        assert scored + rejected == self.sent
        return found

    def dead_letters(self) -> list[tuple[Place, str, bytes]]:
        """Return (place, reason, original bytes) of everything set aside."""
        letters = []
        for message in read_topic(self.config.bootstrap, self.config.topics.dead_letter):
            headers = headers_of(message)
            assert headers["topic"] == self.config.topics.logs
            assert headers["detail"]
            place = (int(headers["partition"]), int(headers["offset"]))
            letters.append((place, headers["reason"], message.value() or b""))
        return letters

    def anomalies(self) -> list[Anomaly]:
        """Return every line called abnormal."""
        messages = list(read_topic(self.config.bootstrap, self.config.topics.anomalies))
        found = [read_anomaly(message.value() or b"") for message in messages]
        assert [message.key() for message in messages] == [anomaly.event_id.encode() for anomaly in found]
        return [anomaly for anomaly in found if isinstance(anomaly, Anomaly)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stream")


@pytest.fixture(scope="module")
def environ(kafka_bootstrap: str, home: Path) -> dict[str, str]:
    """An environment with a model that the two training jobs have made from a topic."""
    (home / "jars").symlink_to(Paths.from_env(os.environ).jars)
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("FAULTLINE_")}
    kept = {key: os.environ[key] for key in ("FAULTLINE_IVY_SETTINGS",) if key in os.environ}
    environ = {**inherited, **kept, "FAULTLINE_HOME": str(home), "FAULTLINE_KAFKA": kafka_bootstrap}
    teaching = Pipeline(environ, home)
    teaching.send(*(event.to_bytes() for event in normal_events()), b"not json")
    train(teaching.environ, Progress())
    return environ


@pytest.fixture(scope="module")
def stream(environ: dict[str, str], home: Path) -> Iterator[Pipeline]:
    """A running stream that the tests of this module share: it must survive all of them."""
    pipeline = Pipeline(environ, home)
    with pipeline.running():
        yield pipeline


def good(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(make_event("order 5 placed for customer 3").to_bytes())
    return {**fields, **changes}


def wire(**changes: Any) -> bytes:
    return json.dumps(good(**changes)).encode()


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in good().items() if key != name}).encode()


MEGABYTE = 1024 * 1024
FAR = "2099-01-01T00:00:00Z"
HOSTILE: dict[str, tuple[bytes | None, str | None]] = {  # record -> reason it is set aside for, None: it is scored
    "no value": (None, "not_json"),
    "nothing": (b"", "not_json"),
    "not JSON": (b"GET / HTTP/1.1 200", "not_json"),
    "null bytes": (b"\x00" * 100, "not_json"),
    "invalid UTF-8": (wire().replace(b"order 5", b"order \xff"), "not_json"),
    "lone surrogate": (wire(body="\ud800"), "not_json"),
    "a list": (b"[1, 2]", "wrong_type"),
    "body is a number": (wire(body=5), "wrong_type"),
    "measure is text": (wire(measures={"cpu": "high"}), "wrong_type"),
    "number beyond float": (wire().replace(b'"measures": {}', b'"measures": {"a": 1e999}'), "bad_value"),
    "unknown source type": (wire(source_type="syslog"), "bad_value"),
    "100,000 brackets": (wire()[:-1] + b', "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "bad_value"),
    "no timestamp": (without("timestamp"), "missing_field"),
    "no body": (without("body"), "missing_field"),
    "empty body": (wire(body=""), "empty_body"),
    "blank body": (wire(body=" \n\t"), "empty_body"),
    "clock in 1970": (wire(timestamp="1970-01-01T00:00:00Z"), "timestamp_out_of_range"),
    "clock in 2099": (wire(timestamp=FAR), "timestamp_out_of_range"),
    "clock in 9999": (wire(observed_timestamp="9999-12-31T23:59:59-12:00"), "timestamp_out_of_range"),
    "host in 2099": (wire(timestamp=FAR, observed_timestamp=FAR), None),
    "null characters in the body": (wire(body="\0\0 order \0"), None),
    "nothing but null characters": (wire(body="\0\0"), None),
    "terminal codes": (wire(body="\x1b[31mred\x1b[0m"), None),
    "a line of 1 MB": (wire(body="x" * MEGABYTE), None),
    "a line of 1 MB in words": (wire(body="word " * (MEGABYTE // 5)), None),
    "a line of 1 MB of controls": (wire(body="\x01" * (MEGABYTE // 6)), None),
    "a line of 3 MB": (wire(body="y" * 3 * MEGABYTE), "too_large"),
    "as large as the topic takes": (b"z" * (4 * MEGABYTE - 600), "too_large"),
    "an attribute of 1 MB": (wire(attributes={"exception.stacktrace": "E" * MEGABYTE}), None),
    "10,000 attributes": (wire(attributes={f"key{i}": "v" for i in range(10_000)}), None),
    "right to left and emoji": (wire(body="\u202eabc \U0001f600 \ufffd \u0663"), None),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_record_is_set_aside_or_scored_and_the_stream_goes_on(stream: Pipeline, name: str) -> None:
    value, reason = HOSTILE[name]
    place, _ = stream.send(value, make_event("order 5 placed for customer 3").to_bytes())
    stream.await_all()
    letters = {where: (why, kept) for where, why, kept in stream.dead_letters()}
    if reason is None:
        assert place not in letters
    else:
        why, kept = letters[place]
        assert why == reason
        assert (value or b"").startswith(kept)
        assert len(value or b"") - len(kept) <= (0 if len(value or b"") <= 4 * MEGABYTE - 16 * 1024 else 16 * 1024)


def test_a_record_that_only_compression_brings_in_does_not_stop_the_stream(stream: Pipeline) -> None:
    settings = {
        "bootstrap.servers": stream.config.bootstrap,
        "compression.type": "lz4",
        "message.max.bytes": 64 * MEGABYTE,
    }
    producer = Producer(settings)
    producer.produce(stream.config.topics.logs, b"0" * (20 * MEGABYTE), partition=0)
    assert producer.flush(60) == 0
    stream.sent += 1
    stream.send(make_event("order 5 placed for customer 3").to_bytes())
    stream.await_all()
    assert max(len(kept) for _, _, kept in stream.dead_letters()) < 4 * MEGABYTE


def test_an_anomaly_keeps_id_body_and_times(stream: Pipeline) -> None:
    abnormal = abnormal_event()
    stream.send(make_event("order 5 placed for customer 3").to_bytes(), abnormal.to_bytes())
    stream.await_all()
    (anomaly,) = [anomaly for anomaly in stream.anomalies() if anomaly.event_id == abnormal.event_id]
    for name in ("body", "timestamp", "observed_timestamp", "service_name", "severity", "source_type"):
        assert getattr(anomaly, name) == getattr(abnormal, name)
    assert (anomaly.known_template, anomaly.score > 0) == (False, True)


def test_three_thousand_lines_of_which_no_two_are_alike(stream: Pipeline) -> None:
    letters = "abcdefghij"
    bodies = [" ".join(letters[int(digit)] * 4 for digit in f"{number:06}") for number in range(3000)]
    before = stream.metrics()
    stream.send(*(make_event(body).to_bytes() for body in bodies))
    after = stream.await_all()
    name = "faultline_unknown_template_events_total"
    assert after[name] - before[name] == 3000


def test_ordinary_lines_are_not_abnormal(stream: Pipeline) -> None:
    ordinary = [make_event(f"order {number} placed for customer {number}") for number in range(200)]
    stream.send(*(event.to_bytes() for event in ordinary))
    stream.await_all()
    assert {event.event_id for event in ordinary} & {anomaly.event_id for anomaly in stream.anomalies()} == set()


def mixed(n: int) -> tuple[list[bytes], set[str]]:
    """Return n records, a tenth of them bad and a tenth abnormal, and the ids of the abnormal ones."""
    abnormal = [abnormal_event() for _ in range(n // 10)]
    values = [make_event("order 5 placed for customer 3").to_bytes() for _ in range(n - 2 * len(abnormal))]
    values += [event.to_bytes() for event in abnormal] + [b"bad %d" % number for number in range(len(abnormal))]
    return values[::3] + values[1::3] + values[2::3], {event.event_id for event in abnormal}


def test_stopped_and_started_again_nothing_is_lost_or_repeated(environ: dict[str, str], home: Path) -> None:
    pipeline = Pipeline(environ, home)
    ids: set[str] = set()
    for _ in range(2):
        values, abnormal = mixed(200)
        pipeline.sent = 0  # counters begin anew with the job
        pipeline.send(*values)
        ids |= abnormal
        with pipeline.running():
            pipeline.await_all()
    assert sorted(anomaly.event_id for anomaly in pipeline.anomalies()) == sorted(ids)
    letters = pipeline.dead_letters()
    assert (len(letters), len({place for place, _, _ in letters})) == (40, 40)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_ended_in_the_middle_nothing_is_lost(environ: dict[str, str], home: Path, ending: signal.Signals) -> None:
    pipeline = Pipeline(environ, home)
    values, ids = mixed(1000)
    pipeline.send(*values)
    with pipeline.running(ending, FAULTLINE_MAX_OFFSETS_PER_TRIGGER="20"):
        until(pipeline.metrics, lambda found: found.get("faultline_events_read_total", 0) > 0, "a first batch")
    with pipeline.running():
        until(lambda: {anomaly.event_id for anomaly in pipeline.anomalies()}, lambda found: found == ids, "anomalies")
        until(lambda: len({place for place, _, _ in pipeline.dead_letters()}), lambda n: n == 100, "dead letters")
    repeats = len(pipeline.anomalies()) - len(ids) + len(pipeline.dead_letters()) - 100
    assert 0 <= repeats <= 20  # at most the batch that was under way


def register_variant(environ: Mapping[str, str], note: str, *, damaged: bool = False) -> str:
    """Make a version that differs from the champion in a note only, promote it and return its content version."""
    models, registry = Paths.from_env(environ).models, Registry.from_env(environ)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(shutil.copytree((models / "champion").resolve(), Path(work) / "model"))
        manifest = read_manifest(folder)
        state = json.loads((folder / "model.json").read_text())
        (folder / "model.json").write_text(json.dumps({**state, "note": note}))
        write_manifest(folder, **{key: manifest[key] for key in manifest.keys() - {"version", "files"}})
        version = registry.record_training(folder, Training("semantic_train", {}, {}, {}))
    if damaged:
        (Path(unquote(urlparse(version.source).path)) / "model.json").write_text("{}")
    registry.promote(version)
    return version.content


def test_a_running_stream_follows_the_champion_and_refuses_a_bad_one(stream: Pipeline, environ: dict[str, str]) -> None:
    abnormal: list[str] = []

    def versions() -> set[str]:
        events = [abnormal_event() for _ in range(20)]
        stream.send(*(event.to_bytes() for event in events))
        abnormal.extend(event.event_id for event in events)
        return stream.model_versions()

    (old,) = until(versions, lambda found: len(found) == 1, "the first model")
    new = register_variant(environ, "newer")
    until(versions, lambda found: found == {new}, "the new champion")
    register_variant(environ, "bad", damaged=True)
    refused = "faultline_model_rejected_total"
    until(lambda: (versions(), stream.metrics())[1], lambda found: found.get(refused) == 1, "the refusal")
    assert versions() == {new}
    stream.await_all()
    used = {found.event_id: found.model_version for found in stream.anomalies() if found.event_id in set(abnormal)}
    assert sorted(used) == sorted(abnormal)
    for partition in (0, 1):  # send() alternates; in a partition no line of the old model follows one of the new
        in_order = [used[event_id] for event_id in abnormal[partition::2]]
        assert [version for version, _ in groupby(in_order)] == [old, new]
