"""The feeder as a process of its own, with the real broker."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from time import monotonic, sleep

import msgspec
import pytest

from faultline.config import REPOSITORY
from faultline.kafka_io import headers_of, read_topic
from feeder.offsets import load_offsets

pytestmark = pytest.mark.integration

SECONDS = 60.0


class Process:
    """`python -m feeder` with a folder, topics and ports of its own."""

    def __init__(self, home: Path, environ: dict[str, str]) -> None:
        self.home = home
        self.logs = home / "watched"
        self.logs.mkdir(exist_ok=True)
        self.port = free_port()
        sources = home / "sources.yaml"
        sources.write_text(
            "sources: [{source_type: app_container_log, service_name: '@file', path: '${FAULTLINE_WATCHED}/*.log',"
            " format: plain}]"
        )
        kept = {key: value for key, value in os.environ.items() if not key.startswith("FAULTLINE_")}
        own = {"FAULTLINE_HOME": str(home), "FAULTLINE_SOURCES": str(sources), "FAULTLINE_PORT_FEEDER": str(self.port)}
        self.environ = kept | own | environ
        self.output = home / "feeder.out"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "feeder"], cwd=REPOSITORY, env=self.environ, stdout=output, stderr=output
            )

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(SECONDS)

    @property
    def stored(self) -> dict[str, int]:
        """File name -> offset, of those not finished; several rotations of one path are added up."""
        sums: defaultdict[str, int] = defaultdict(int)
        for offset in load_offsets(self.home / "feeder" / "offsets.json"):
            sums[Path(offset.path).name] += offset.offset
        return sums

    def wait_until(self, condition, what: str) -> None:
        deadline = monotonic() + SECONDS
        while not condition():
            assert self.process.poll() is None, f"the feeder ended: {self.output.read_text()}"
            assert monotonic() < deadline, f"not within {SECONDS:g} s: {what}; {self.output.read_text()}"
            sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def feeder(tmp_path, kafka_bootstrap, topics):
    environ = {
        "FAULTLINE_KAFKA": kafka_bootstrap,
        "FAULTLINE_TOPIC_LOGS": topics("logs", 2),
        "FAULTLINE_TOPIC_DEAD_LETTER": topics("dead"),
        "FAULTLINE_MAX_LINE_BYTES": "4096",
    }
    process = Process(tmp_path, environ)
    yield process
    if process.process is not None and process.process.poll() is None:
        process.end(signal.SIGKILL)


def received(feeder: Process) -> list[dict]:
    messages = read_topic(feeder.environ["FAULTLINE_KAFKA"], feeder.environ["FAULTLINE_TOPIC_LOGS"])
    return [msgspec.json.decode(message.value()) for message in messages]


class Writer:
    """Appends numbered lines, and renames the file away now and then."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[str] = []
        self.size = 0

    def write(self, n: int) -> None:
        new = [f"line {len(self.lines) + k} of {self.path.name}" for k in range(n)]
        content = "".join(f"{line}\n" for line in new)
        with self.path.open("a") as file:
            file.write(content)
        self.lines += new
        self.size += len(content)

    def rotate(self, number: int) -> None:
        self.path.rename(self.path.with_name(f"{self.path.name}.{number}"))


def test_kill_in_mid_run_loses_no_line(feeder):
    writers = [Writer(feeder.logs / name) for name in ("orders.log", "payments.log")]
    for life in range(4):
        for writer in writers:
            writer.write(3000)
        before = sum(feeder.stored.values())
        feeder.start()
        feeder.wait_until(lambda old=before: sum(feeder.stored.values()) > old, "offsets move")
        for writer in writers:
            writer.write(2000)
        writers[0].rotate(2 * life)
        for writer in writers:
            writer.write(2000)
        feeder.end(signal.SIGKILL)
        writers[0].write(500)
        writers[0].rotate(2 * life + 1)  # while nobody watches
        writers[0].write(10)
    feeder.start()
    total = {writer.path.name: writer.size for writer in writers}
    feeder.wait_until(lambda: feeder.stored == total, f"stored offsets add up to {total}")
    assert feeder.end(signal.SIGTERM) == 0
    ids = defaultdict(set)
    for record in received(feeder):
        ids[record["body"]].add(record["event_id"])
    assert set(ids) == {line for writer in writers for line in writer.lines}
    assert {len(same) for same in ids.values()} == {1}, "a repeated line has another id"
    assert len({event_id for same in ids.values() for event_id in same}) == len(ids)


def test_sigterm_ends_well_with_stored_offsets(feeder):
    writer = Writer(feeder.logs / "orders.log")
    writer.write(100)
    feeder.start()
    feeder.wait_until(lambda: sum(feeder.stored.values()) == writer.size, "everything is acknowledged")
    writer.write(50)
    assert feeder.end(signal.SIGTERM) == 0
    first = received(feeder)
    assert len("".join(f"{record['body']}\n" for record in first)) == feeder.stored["orders.log"]
    feeder.start()
    feeder.wait_until(lambda: sum(feeder.stored.values()) == writer.size, "the rest is acknowledged")
    assert feeder.end(signal.SIGINT) == 0
    assert [record["body"] for record in received(feeder)] == writer.lines


def test_long_line_and_metrics(feeder):
    (feeder.logs / "orders.log").write_bytes(b"x" * 10_000 + b"\n\xff\n")
    feeder.start()
    feeder.wait_until(lambda: sum(feeder.stored.values()) == 10_003, "everything is acknowledged")
    with socket.create_connection(("127.0.0.1", feeder.port), SECONDS) as client:
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        page = b"".join(iter(lambda: client.recv(65536), b"")).decode()
    labels = 'reason="line_too_long",source_type="app_container_log"'
    assert f"faultline_feeder_dead_lettered_total{{{labels}}} 3.0" in page
    assert 'faultline_feeder_records_acknowledged_total{source_type="app_container_log"} 1.0' in page
    assert feeder.end(signal.SIGTERM) == 0
    dead = list(read_topic(feeder.environ["FAULTLINE_KAFKA"], feeder.environ["FAULTLINE_TOPIC_DEAD_LETTER"]))
    assert b"".join(message.value() for message in dead) == b"x" * 10_000
    assert [headers_of(message)["log.file.offset"] for message in dead] == ["0", "4096", "8192"]


def ended_with(feeder: Process) -> dict:
    """Wait for the feeder to end by itself with status 1; return its last log line."""
    feeder.start()
    assert feeder.process.wait(SECONDS) == 1
    text = feeder.output.read_text()
    assert "Traceback" not in text
    return json.loads(text.splitlines()[-1])


def test_metrics_port_that_is_taken(feeder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", feeder.port))
        taken.listen()
        last = ended_with(feeder)
    assert last["error"] == "StackError"
    expected = f"metrics cannot be served on 127.0.0.1:{feeder.port}: Address already in use; free the port or set "
    assert last["message"].startswith(expected)


@pytest.mark.slow  # the client waits half a minute for a topic that may be on its way
def test_topic_that_is_not_there(feeder):
    feeder.environ["FAULTLINE_TOPIC_LOGS"] = "not-there"
    (feeder.logs / "orders.log").write_text("one\n")
    last = ended_with(feeder)
    assert last["error"] == "SinkUnavailable"
    assert last["message"].startswith("not-there: the broker refused a record of ")
    assert sum(feeder.stored.values()) == 0


def test_damaged_offsets_file(feeder):
    (feeder.home / "feeder").mkdir()
    (feeder.home / "feeder" / "offsets.json").write_text("{")
    last = ended_with(feeder)
    assert last["error"] == "OffsetsUnreadable"
    assert "move it away to read all watched files from their beginning" in last["message"]
