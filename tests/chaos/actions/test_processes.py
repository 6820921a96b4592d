"""Killed, paused and crashing, under a real supervisord."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from chaos.actions import crasher, processes
from chaos.errors import ChaosError, TargetUnreachable
from chaos.targets import running_process
from chaos.undo import UndoLedger
from faultline.config import Paths
from faultline.stack.leftovers import find_leftovers
from faultline.stack.program import Command, Program
from faultline.stack.readiness import port_open
from faultline.stack.scripts import write_script
from faultline.stack.supervisor import Supervisor

Wait = Callable[[Callable[[], bool], str], None]
# Answers everything with 200, and says goodbye to nobody but SIGTERM.
SERVER = """
import signal, socket, sys
def leave(*_):
    print('goodbye', flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, leave)
listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))
while True:
    connection, _ = listener.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n')
"""


@pytest.fixture
def supervisor(home: Path, monkeypatch: pytest.MonkeyPatch, eventually: Wait) -> Iterator[Supervisor]:
    """A supervisord with one program that answers, `payments`; it is gone afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    monkeypatch.setenv("FAULTLINE_PORT_PAYMENTS", str(port))
    program = Program(name="payments", address="", command=lambda: Command([sys.executable, "-c", SERVER, str(port)]))
    found = Supervisor(os.environ)
    write_script(program, os.environ)
    try:
        found.launch([program])
        found.start("payments")
        eventually(lambda: port_open(port)() is None, "payments up")
        yield found
    finally:
        psutil.Process(found.pid()).kill()  # an orderly end takes a second
        for process in find_leftovers(Paths(home)):
            process.kill()
        found.forget_socket()


def undo() -> list[str]:
    return UndoLedger.from_env(os.environ).undo_all()


def answers() -> bool:
    return port_open(int(os.environ["FAULTLINE_PORT_PAYMENTS"]))() is None


def test_a_killed_service_stays_down_until_the_rollback(supervisor: Supervisor, home: Path) -> None:
    before = running_process(os.environ, "payments")
    processes.kill("payments")
    assert not answers()
    assert undo()[-1] == "chaos.actions.processes.start_again(service='payments')"
    assert answers()
    assert running_process(os.environ, "payments") != before
    assert "goodbye" not in (home / "log" / "payments.log").read_text()


def test_supervisord_does_not_restart_what_was_killed(supervisor: Supervisor, eventually: Wait) -> None:
    processes.kill("payments")
    eventually(lambda: supervisor.states()["payments"].state == "STOPPED", "supervisord's word")


def test_the_rollback_may_come_twice_and_before_anything_was_done(supervisor: Supervisor) -> None:
    before = running_process(os.environ, "payments")
    for _ in range(2):
        processes.start_again(os.environ, "payments")
    assert running_process(os.environ, "payments") == before


def test_killed_right_after_the_note_the_rollback_leaves_the_service_up(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(self: psutil.Process) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(psutil.Process, "suspend", die)
    with pytest.raises(KeyboardInterrupt):
        processes.kill("payments")
    assert len(undo()) == 2
    assert answers()


def test_killed_between_freezing_and_killing_the_rollback_brings_it_up(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(self: Supervisor, name: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Supervisor, "stop", die)
        with pytest.raises(KeyboardInterrupt):
            processes.kill("payments")
    undo()
    assert running_process(os.environ, "payments").status() != psutil.STATUS_STOPPED


def test_the_rollback_without_a_stack_does_nothing(home: Path) -> None:
    processes.start_again(os.environ, "payments")
    assert find_leftovers(Paths(home)) == []


def test_a_service_that_does_not_come_up_is_named(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "UP_SECONDS", 0)
    monkeypatch.setenv("FAULTLINE_PORT_PAYMENTS", "1")
    with pytest.raises(ChaosError, match="payments up again not within 0 s: GET :1/health: nobody listens yet"):
        processes.start_again(os.environ, "payments")


def test_a_paused_service_goes_on_after_the_rollback(supervisor: Supervisor, eventually: Wait) -> None:
    process = running_process(os.environ, "payments")
    processes.pause("payments")
    eventually(lambda: process.status() == psutil.STATUS_STOPPED, "the pause")
    assert len(undo()) == 1
    assert process.status() != psutil.STATUS_STOPPED


def test_another_process_is_not_woken(supervisor: Supervisor, eventually: Wait) -> None:
    process = running_process(os.environ, "payments")
    process.suspend()
    eventually(lambda: process.status() == psutil.STATUS_STOPPED, "the pause")
    processes.resume(os.environ, process.pid, process.create_time() - 60)
    assert process.status() == psutil.STATUS_STOPPED
    processes.resume(os.environ, process.pid, process.create_time())
    processes.kill("payments")
    processes.resume(os.environ, process.pid, process.create_time())


def test_a_crash_loop_goes_on_until_the_rollback(supervisor: Supervisor, home: Path, eventually: Wait) -> None:
    first = running_process(os.environ, "payments").pid
    processes.crash_loop("payments")
    eventually(lambda: supervisor.states()["payments"].state == "BACKOFF", "a crash")
    eventually(lambda: supervisor.states()["payments"].pid not in (0, first), "a new start")
    assert len(undo()) == 2
    assert answers()
    assert [process.pid for process in find_leftovers(Paths(home)) if "crasher" in " ".join(process.cmdline())] == []


def test_the_crasher_waits_for_an_answer_and_ends_with_the_stack(home: Path, supervisor: Supervisor) -> None:
    assert not crasher.kill_when_up(os.environ, "payments", lambda: "nobody listens yet")
    assert answers()
    assert crasher.kill_when_up(os.environ, "payments", lambda: None)
    assert not crasher.kill_when_up(os.environ, "cellar", None)


def test_the_crasher_ends_without_a_stack(home: Path) -> None:
    crasher.main(os.environ, "payments")


@pytest.mark.parametrize("action", [processes.kill, processes.pause, processes.crash_loop])
def test_a_service_that_is_not_there(home: Path, action: Callable[[str], None]) -> None:
    with pytest.raises(TargetUnreachable, match="cellar is unknown to supervisord, expected running; nothing was inj"):
        action("cellar")
    assert undo() == []
