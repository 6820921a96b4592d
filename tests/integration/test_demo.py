"""The whole demo as a user runs it, then the same stack under kill -9."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest

from faultline.anomalies import Anomaly, read_anomaly
from faultline.config import Paths
from faultline.kafka_io import read_topic
from faultline.stack.leftovers import find_leftovers
from faultline.stack.lifecycle import Stack
from faultline.stack.progress import Progress
from tests.conftest import require_java, stack_environ

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@dataclass(frozen=True)
class Demo:
    environ: dict[str, str]
    status: int
    output: str
    report: Path
    stack: Stack


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """`./run demo --quick --keep` in a home of its own; the stack goes down at the end."""
    require_java()
    environ = stack_environ(tmp_path_factory.mktemp("demo") / "home")
    command = [sys.executable, "-m", "faultline", "demo", "--quick", "--keep"]
    stack = Stack.from_env(environ, Progress(io.StringIO()))
    try:
        run = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=600, check=False)
        reports = sorted((Path(environ["FAULTLINE_HOME"]) / "reports" / "demo").glob("*"))
        assert reports, run.stderr[-3000:]
        yield Demo(environ, run.returncode, run.stderr, reports[-1], stack)
    finally:
        stack.down()
        assert find_leftovers(Paths.from_env(environ)) == []


def test_fault_is_alerted_and_resolved(demo: Demo) -> None:
    facts = json.loads((demo.report / "facts.json").read_text())
    assert demo.status == 0, demo.output[-3000:]
    assert facts["alert_seconds"] > 0
    assert facts["resolved_seconds"] > 0
    assert facts["alerts_before_fault"] == 0
    assert facts["first_anomaly"]["seconds_after_fault"] >= 0
    assert any("structured" in service["detectors"] for service in facts["services"])


def test_everything_read_is_scored_or_set_aside(demo: Demo) -> None:
    facts = json.loads((demo.report / "facts.json").read_text())
    assert facts["read"] > 500
    assert facts["read"] == facts["scored"] + facts["dead_lettered"]


def test_report_is_complete(demo: Demo) -> None:
    (fault,) = json.loads((demo.report / "journal.json").read_text())
    assert fault["target"] == "payments"
    assert (demo.report / "timeline.png").read_bytes().startswith(b"\x89PNG")
    page = (demo.report / "report.html").read_text()
    assert "payments: process stopped" in page
    assert "adds up" in page
    assert len((demo.report / "anomalies.csv").read_text().splitlines()) > 3


def test_progress_says_what_it_waits_for_and_for_how_long(demo: Demo) -> None:
    assert "learning: normal traffic is written and collected (40 s)" in demo.output
    assert "ALERT LogAnomaly" in demo.output or "ALERT BehaviourAnomaly" in demo.output
    assert str(demo.report / "report.html") in demo.output


def test_all_kinds_of_source_of_the_demo_are_scored(demo: Demo) -> None:
    kinds = {
        json.loads(message.value() or b"{}")["source_type"]
        for message in read_topic(demo.stack.program("kafka").address, "logs")
    }
    wanted = {"app_container_log", "nginx_access", "nginx_error", "fastapi_status", "app_container_metrics"}
    assert wanted <= kinds


def test_no_abnormal_line_is_lost_when_broker_and_stream_are_killed(demo: Demo) -> None:
    log = Paths.from_env(demo.environ).watched_logs / "shop" / "extra.log"
    for number in range(90):
        _append(log, number)
        if number == 30:
            _kill(demo.stack, "kafka")
        if number == 60:
            _kill(demo.stack, "stream")
        sleep(0.1)
    _wait_until(lambda: _is_up(demo.stack, "kafka"), "the broker is up again")
    seen: dict[str, str] = {}

    def all_seen() -> bool:
        for message in read_topic(demo.stack.program("kafka").address, "anomalies"):
            anomaly = read_anomaly(message.value() or b"")
            if isinstance(anomaly, Anomaly) and anomaly.service_name == "extra":
                seen[anomaly.event_id] = anomaly.body
        return len(set(seen.values())) == 90

    _wait_until(all_seen, "all abnormal lines in topic anomalies", 240)
    assert len(seen) == 90  # a line that came twice came with the same id


def _append(log: Path, number: int) -> None:
    with log.open("a") as file:
        file.write(json.dumps({"level": "ERROR", "message": f"reactor {number} melted through the floor"}) + "\n")


def _kill(stack: Stack, name: str) -> None:
    pid = next(row.pid for row in stack.status() if row.name == name)
    assert pid, f"{name} is not running"
    for process in [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)]:
        os.kill(process.pid, signal.SIGKILL)


def _is_up(stack: Stack, name: str) -> bool:
    return next(row.state for row in stack.status() if row.name == name) == "up"


def _wait_until(condition: Callable[[], bool], what: str, seconds: float = 90) -> None:
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, f"not within {seconds:g} s: {what}"
        sleep(0.5)
