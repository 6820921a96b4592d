"""The real broker under the real supervisord."""

import io
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
from confluent_kafka import Producer

from faultline.config import Paths
from faultline.errors import ConfigError, StackError
from faultline.kafka_io import declared_topics, read_topic
from faultline.stack.leftovers import find_leftovers
from faultline.stack.lifecycle import Stack
from faultline.stack.progress import Progress
from faultline.stack.supervisor import Supervisor

pytestmark = pytest.mark.integration


@pytest.fixture
def environ(tmp_path: Path, make_stack_environ: Callable[[Path], dict[str, str]]) -> Iterator[dict[str, str]]:
    """A home whose path needs quoting and is too long for a Unix socket; whatever happens, it is down afterwards."""
    values = make_stack_environ(tmp_path / f"a home; #1 {'x' * 60}")
    yield values
    quiet_stack(values).down()
    assert find_leftovers(Paths.from_env(values)) == []


def quiet_stack(environ: dict[str, str]) -> Stack:
    return Stack.from_env(environ, Progress(io.StringIO()))


def pid_of(stack: Stack, name: str) -> int:
    return next(row.pid for row in stack.status() if row.name == name)


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, f"not within {seconds:g} s: {what}"
        sleep(0.05)


def test_up_is_idempotent_keeps_records_through_a_kill_and_down_leaves_nothing(environ: dict[str, str]) -> None:
    stack = quiet_stack(environ)
    bootstrap = stack.program("kafka").address
    assert stack.up(["kafka"]) == ["kafka"]
    assert stack.up(["kafka"]) == []
    declared = {topic.topic for topic in declared_topics(Path("kafka/topics.yaml"))}
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
    assert declared <= set(producer.list_topics(timeout=10).topics)
    producer.produce("anomalies", b"kept")
    assert producer.flush(30) == 0

    killed = pid_of(stack, "kafka")
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: pid_of(stack, "kafka") not in (0, killed), "supervisord starts the broker again")
    assert stack.up(["kafka"]) == []
    assert [message.value() for message in read_topic(bootstrap, "anomalies")] == [b"kept"]

    stack.stop("kafka")
    stack.stop("kafka")
    assert pid_of(stack, "kafka") == 0
    stack.start("kafka")
    assert [message.value() for message in read_topic(bootstrap, "anomalies")] == [b"kept"]

    assert stack.down() == ["kafka", "supervisord"]
    assert find_leftovers(Paths.from_env(environ)) == []
    assert stack.down() == []


def test_a_taken_port_is_named_and_nothing_is_started(environ: dict[str, str]) -> None:
    stack = quiet_stack(environ)
    port = stack.program("node_exporter").ports[0]
    with socket.create_server(("127.0.0.1", port)), pytest.raises(StackError) as caught:
        stack.up(["node_exporter"])
    assert f"port {port} of node_exporter is taken by " in str(caught.value)
    assert f"(pid {os.getpid()})" in str(caught.value)
    assert find_leftovers(Paths.from_env(environ)) == []


def test_a_program_that_fails_shows_its_log_and_stops_what_was_started(environ: dict[str, str]) -> None:
    stack = quiet_stack({**environ, "FAULTLINE_SEED": "abc"})
    with pytest.raises(StackError) as caught:
        stack.up(["node_exporter", "payments"])
    assert "payments did not come up within" in str(caught.value)
    assert "payments.log:\nFAULTLINE_SEED is 'abc'" in str(caught.value)
    assert find_leftovers(Paths.from_env(environ)) == []


def test_a_failure_leaves_alone_what_was_up_before(environ: dict[str, str]) -> None:
    quiet_stack(environ).up(["node_exporter"])
    with pytest.raises(StackError, match="payments did not come up"):
        quiet_stack({**environ, "FAULTLINE_SEED": "abc"}).up(["payments"])
    assert {row.name for row in quiet_stack(environ).status() if row.state == "up"} == {"node_exporter"}


def test_processes_without_their_supervisord_are_named_adopted_by_up_and_ended_by_down(environ: dict[str, str]) -> None:
    stack, supervisor = quiet_stack(environ), Supervisor(environ)
    stack.up(["node_exporter"])
    orphan = pid_of(stack, "node_exporter")
    kill_supervisor(supervisor)
    assert f"(pid {orphan})" in stack.unsupervised()

    assert stack.up(["node_exporter"]) == ["node_exporter"]
    assert stack.unsupervised() == ""
    assert pid_of(stack, "node_exporter") != orphan

    orphan = pid_of(stack, "node_exporter")
    kill_supervisor(supervisor)
    assert stack.down() == [f"prometheus-node-exporter (pid {orphan})"]


def kill_supervisor(supervisor: Supervisor) -> None:
    pid = supervisor.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: supervisor.pid() is None, "supervisord ends")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_up_leaves_no_process(environ: dict[str, str], number: signal.Signals) -> None:
    argv = [sys.executable, "-m", "faultline", "up", "kafka"]
    with subprocess.Popen(argv, env=environ, stderr=subprocess.PIPE, text=True) as up:
        wait_until(lambda: pid_of(quiet_stack(environ), "kafka") != 0, "the broker is being started")
        up.send_signal(number)
        said = up.communicate(timeout=60)[1]
    assert up.returncode == 130
    assert "stopping what was started: kafka" in said
    assert said.endswith("interrupted\n")
    assert find_leftovers(Paths.from_env(environ)) == []


def test_an_unknown_program_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="program is 'kafak', expected one of kafka, payments"):
        quiet_stack(environ).up(["kafak"])
