from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import psutil

from chaos.guardian import DONE, guard
from chaos.undo import UndoLedger
from faultline.config import REPOSITORY

# Pauses a process as an injector would, names an experiment, and hangs until it is killed.
INJECTOR = """\
import os, signal, sys, time
from chaos.guardian import guarded
from chaos.undo import UndoLedger
target, group, created = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
with guarded(os.environ) as guardian:
    UndoLedger.from_env(os.environ).note("chaos.actions.processes", "resume", pid=target, created=created)
    os.kill(target, signal.SIGSTOP)
    guardian.watch(group)
    print("injected", flush=True)
    time.sleep(600)
"""


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)


def becomes_alive(pid: int, seconds: float = 5) -> bool:
    deadline = monotonic() + seconds
    while psutil.Process(pid).status() == psutil.STATUS_STOPPED and monotonic() < deadline:
        sleep(0.01)
    return psutil.Process(pid).status() != psutil.STATUS_STOPPED


def test_an_injector_that_is_killed_leaves_nothing_stopped(tmp_path: Path) -> None:
    target, toolkit = sleeper(), sleeper()
    environ = {**os.environ, "FAULTLINE_HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    try:
        created = psutil.Process(target.pid).create_time()
        argv = [sys.executable, "-c", INJECTOR, str(target.pid), str(toolkit.pid), str(created)]
        with subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as injector:
            assert injector.stdout is not None and injector.stderr is not None
            said_first = injector.stdout.readline()
            injector.kill()
            said = injector.stderr.read().decode()  # its end is the guardian's, who holds the pipe as well
        assert said_first == b"injected\n"
        assert "guardian: the injector ended; undone: chaos.actions.processes.resume" in said
        assert becomes_alive(target.pid)
        assert toolkit.wait(10) == -signal.SIGKILL, "the experiment was left running"
    finally:
        target.kill()
        toolkit.kill()
        target.wait()


def test_an_injector_that_is_done_is_left_alone(tmp_path: Path) -> None:
    ledger = UndoLedger.from_env({"FAULTLINE_HOME": str(tmp_path)})
    ledger.note("chaos.actions.processes", "resume", pid=1, created=0.0)
    assert guard(["0\n", f"{DONE}\n"], {"FAULTLINE_HOME": str(tmp_path)}) == []
    assert len(ledger.pending()) == 1
