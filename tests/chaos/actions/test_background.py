from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from chaos.actions import background
from chaos.undo import UndoLedger
from faultline.config import Paths
from faultline.stack.leftovers import find_leftovers

Wait = Callable[[Callable[[], bool], str], None]
# A program with a child, both deaf to SIGTERM; its file says that both are there.
STUBBORN = "trap '' TERM; sh -c 'while :; do sleep 0.1; done' & touch \"$1\"; while :; do sleep 0.1; done"


@pytest.fixture
def environ(home: Path) -> dict[str, str]:
    return dict(os.environ)


def started(environ: dict[str, str]) -> tuple[int, float]:
    """Return number and start time of what was started last, as they were noted."""
    arguments = UndoLedger.from_env(environ).pending()[-1].arguments
    return arguments["pid"], arguments["created"]


def test_it_runs_in_a_session_of_its_own_with_the_stacks_marker(environ: dict[str, str], home: Path) -> None:
    background.start(environ, [sys.executable, "-c", "import time; time.sleep(60)"], "sleeper")
    pid, created = started(environ)
    assert os.getsid(pid) == pid
    assert pid in [process.pid for process in find_leftovers(Paths(home))]
    assert UndoLedger.from_env(environ).undo_all() == [f"chaos.actions.background.stop(pid={pid}, created={created})"]
    assert find_leftovers(Paths(home)) == []


def test_what_it_prints_is_kept(environ: dict[str, str], home: Path, eventually: Wait) -> None:
    log = home / "log" / "chaos-greeter.log"
    background.start(environ, [sys.executable, "-c", "import sys; print('out'); sys.exit('err')"], "greeter")
    eventually(lambda: log.read_text() == "out\nerr\n", "both lines")
    UndoLedger.from_env(environ).undo_all()


def test_children_and_the_deaf_end_too_and_a_second_undo_does_nothing(
    environ: dict[str, str], home: Path, eventually: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "TERM_SECONDS", 0.2)
    background.start(environ, ["/bin/sh", "-c", STUBBORN, "sh", str(home / "ready")], "stubborn")
    eventually((home / "ready").exists, "the child")
    pid, created = started(environ)
    background.stop(environ, pid, created)
    background.stop(environ, pid, created)
    assert find_leftovers(Paths(home)) == []


def test_children_that_outlived_their_parent_end(environ: dict[str, str], home: Path, eventually: Wait) -> None:
    background.start(environ, ["/bin/sh", "-c", 'sleep 60 & touch "$1"', "sh", str(home / "ready")], "parent")
    eventually((home / "ready").exists, "the child")
    pid, created = started(environ)
    eventually(lambda: psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, "the end of the parent")
    background.stop(environ, pid, created)
    assert find_leftovers(Paths(home)) == []


def test_a_number_that_another_process_has_by_now_is_left_alone(environ: dict[str, str], home: Path) -> None:
    background.start(environ, [sys.executable, "-c", "import time; time.sleep(60)"], "sleeper")
    pid, created = started(environ)
    background.stop(environ, pid, created - 60)
    assert psutil.Process(pid).is_running()
    background.stop(environ, pid, created)


def test_killed_before_the_undo_is_noted_nothing_runs(
    environ: dict[str, str], home: Path, eventually: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(UndoLedger, "note", fail)
    with pytest.raises(OSError, match="the disk is full"):
        background.start(environ, ["/bin/sh", "-c", 'touch "$1"', "sh", str(home / "changed")], "never")
    eventually(lambda: find_leftovers(Paths(home)) == [], "the end of the waiting shell")
    assert not (home / "changed").exists()


def test_killed_between_note_and_start_nothing_runs(
    environ: dict[str, str], home: Path, eventually: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fail)
        patch.setattr(UndoLedger, "note", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            background.start(environ, ["/bin/sh", "-c", 'touch "$1"', "sh", str(home / "changed")], "never")
    eventually(lambda: find_leftovers(Paths(home)) == [], "the end of the waiting shell")
    assert not (home / "changed").exists()
