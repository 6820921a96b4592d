from collections.abc import Callable
from time import time

import pytest

from faultline.stack.program import Command, Program
from faultline.stack.status import ProgramStatus, look_at, table
from faultline.stack.supervisor import ProcessState


def program(probe: Callable[[], str | None] | None) -> Program:
    return Program(name="shop", address="http://x", command=lambda: Command([]), probe=probe, ready_seconds=60)


def process(state: str, seconds_ago: float = 5.0) -> ProcessState:
    return ProcessState("shop", state, 7, int(time() - seconds_ago), "")


@pytest.mark.parametrize(
    ("state", "shown"),
    [("STOPPED", "down"), ("EXITED", "down"), ("FATAL", "failed"), ("BACKOFF", "restarting"), ("STOPPING", "stopping")],
)
def test_a_program_that_does_not_run(state: str, shown: str) -> None:
    row = look_at(program(lambda: None), process(state))
    assert (row.state, row.pid) == (shown, 0)


def test_without_supervisord_everything_is_down() -> None:
    assert look_at(program(lambda: None), None).state == "down"


def test_a_running_program_is_up_when_it_answers() -> None:
    assert look_at(program(lambda: None), process("RUNNING")).state == "up"
    assert look_at(program(None), process("STARTING")).state == "up"


def test_a_running_program_that_does_not_answer_is_starting_then_not_ready() -> None:
    silent = program(lambda: "GET :1/: nobody listens yet")
    assert look_at(silent, process("RUNNING")).state == "starting"
    late = look_at(silent, process("RUNNING", seconds_ago=61))
    assert (late.state, late.detail) == ("not ready", "GET :1/: nobody listens yet")


def test_table_is_aligned_and_shows_details_last() -> None:
    rows = [
        ProgramStatus("kafka", "up", "127.0.0.1:9092", 12, 61.0, ""),
        ProgramStatus("payments", "starting", "http://127.0.0.1:8103", 345, 2.0, "no answer"),
    ]
    assert table(rows).splitlines() == [
        "NAME      STATE     ADDRESS                PID  UP",
        "kafka     up        127.0.0.1:9092         12   1m 01s",
        "payments  starting  http://127.0.0.1:8103  345  2s      no answer",
    ]
