from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from chaos.actions import limits
from chaos.undo import UndoLedger

StartTarget = Callable[[str], psutil.Process]
SLEEPER = "print('ready', flush=True); input()"


@pytest.fixture
def process(home: Path, target: StartTarget) -> psutil.Process:
    return target(SLEEPER)


def test_the_soft_limit_is_lowered_and_comes_back(process: psutil.Process) -> None:
    before = process.rlimit(psutil.RLIMIT_FSIZE)
    limits.lower(os.environ, process, "RLIMIT_FSIZE", 4096)
    assert process.rlimit(psutil.RLIMIT_FSIZE) == (4096, before[1])
    UndoLedger.from_env(os.environ).undo_all()
    assert process.rlimit(psutil.RLIMIT_FSIZE) == before


def test_lowered_twice_the_first_limit_is_what_comes_back(process: psutil.Process) -> None:
    before = process.rlimit(psutil.RLIMIT_FSIZE)
    for soft in (8192, 4096):
        limits.lower(os.environ, process, "RLIMIT_FSIZE", soft)
    UndoLedger.from_env(os.environ).undo_all()
    assert process.rlimit(psutil.RLIMIT_FSIZE) == before


def test_the_undo_of_a_process_that_has_ended_or_whose_number_is_anothers(process: psutil.Process) -> None:
    limits.restore(os.environ, process.pid, process.create_time() - 60, "RLIMIT_FSIZE", 1)
    assert process.rlimit(psutil.RLIMIT_FSIZE)[0] != 1
    created = process.create_time()
    process.kill()
    process.wait()
    limits.restore(os.environ, process.pid, created, "RLIMIT_FSIZE", 1)


def test_killed_after_the_note_the_undo_changes_nothing(
    process: psutil.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = process.rlimit(psutil.RLIMIT_FSIZE)
    note = UndoLedger.note

    def note_and_die(self: UndoLedger, module: str, function: str, **arguments: object) -> None:
        note(self, module, function, **arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(UndoLedger, "note", note_and_die)
    with pytest.raises(KeyboardInterrupt):
        limits.lower(os.environ, process, "RLIMIT_FSIZE", 0)
    assert len(UndoLedger.from_env(os.environ).undo_all()) == 1
    assert process.rlimit(psutil.RLIMIT_FSIZE) == before
