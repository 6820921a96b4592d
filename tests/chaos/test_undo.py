from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest

from chaos.errors import RollbackFailed
from chaos.undo import UndoLedger

PLACE = "chaos.actions.pretended"


@pytest.fixture
def ledger(tmp_path: Path) -> UndoLedger:
    return UndoLedger.from_env({"FAULTLINE_HOME": str(tmp_path)})


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A module of actions whose `repair` notes its argument, and whose `stuck` fails for ever."""
    calls: list[str] = []
    module = ModuleType(PLACE)

    def repair(environ: Mapping[str, str], what: str) -> None:
        calls.append(what)

    def stuck(environ: Mapping[str, str]) -> None:
        raise OSError("the file is busy")

    vars(module).update(repair=repair, stuck=stuck)
    monkeypatch.setitem(sys.modules, PLACE, module)
    return calls


def test_newest_first_and_each_once(ledger: UndoLedger, called: list[str]) -> None:
    ledger.note(PLACE, "repair", what="first")
    ledger.note(PLACE, "repair", what="second")
    assert ledger.undo_all() == [f"{PLACE}.repair(what='second')", f"{PLACE}.repair(what='first')"]
    assert called == ["second", "first"]
    assert ledger.undo_all() == []


def test_another_process_finds_what_was_noted(ledger: UndoLedger, called: list[str], tmp_path: Path) -> None:
    ledger.note(PLACE, "repair", what="it")
    UndoLedger.from_env({"FAULTLINE_HOME": str(tmp_path)}).undo_all()
    assert called == ["it"]
    assert ledger.pending() == []


def test_one_that_fails_keeps_no_other_from_being_undone(ledger: UndoLedger, called: list[str]) -> None:
    ledger.note(PLACE, "repair", what="first")
    ledger.note(PLACE, "stuck")
    ledger.note(PLACE, "repair", what="third")
    with pytest.raises(RollbackFailed, match=r"(?s)pretended.stuck\(\): the file is busy.*--roll-back"):
        ledger.undo_all()
    assert called == ["third", "first"]
    assert [undo.function for undo in ledger.pending()] == ["stuck"]


def test_nothing_outside_the_actions_is_called(ledger: UndoLedger) -> None:
    ledger.note("shutil", "rmtree", path="x")
    with pytest.raises(RollbackFailed, match=r"not a module of chaos\.actions"):
        ledger.undo_all()


def test_nothing_noted_nothing_done(ledger: UndoLedger) -> None:
    assert ledger.undo_all() == []
