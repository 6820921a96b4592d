"""How to undo what is being done to the stack, on disk before it is done: after a crash of the injector, too."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from chaos.errors import RollbackFailed
from chaos.records import append_record, read_records
from faultline.config import Environ, Paths

ACTIONS: Final = "chaos.actions."


class Undo(msgspec.Struct, frozen=True, kw_only=True):
    """One call that undoes a change: `function` of a module of chaos.actions, with JSON arguments."""

    module: str
    function: str
    arguments: dict[str, Any]

    def __str__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{self.module}.{self.function}({given})"


class UndoLedger:
    """The changes that have not been undone yet, newest last. One writer at a time (see the lock of a run)."""

    def __init__(self, path: Path, environ: Environ) -> None:
        self._path = path
        self._environ = environ

    @classmethod
    def from_env(cls, environ: Environ) -> Self:
        """Return the ledger of the stack below FAULTLINE_HOME."""
        return cls(Paths.from_env(environ).home / "chaos" / "undo.jsonl", environ)

    def note(self, module: str, function: str, **arguments: Any) -> None:
        """Remember a call that is about to become necessary; to be called before the change is made.

        The function takes `environ` first, then these arguments, and does no harm when the change was never made or
        has been undone already.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        append_record(self._path, Undo(module=module, function=function, arguments=arguments))

    def pending(self) -> list[Undo]:
        """Return what has not been undone, newest last."""
        return read_records(self._path, Undo)

    def undo_all(self) -> list[str]:
        """Undo everything, newest first; return what was called. RollbackFailed names what could not be undone.

        One failure does not keep the others from being undone; what failed stays in the ledger.
        """
        done, failed, problems = [], [], []
        for undo in reversed(self.pending()):
            try:
                _call(undo, self._environ)
                done.append(str(undo))
            except Exception as error:  # anything: the other changes must be undone all the same
                failed.append(undo)
                problems.append(f"{undo}: {error}")
        self._keep(failed[::-1])
        if problems:
            raise RollbackFailed(problems)
        return done

    def _keep(self, left: list[Undo]) -> None:
        if not self._path.exists():
            return
        aside = self._path.with_suffix(".new")
        aside.write_bytes(b"".join(msgspec.json.encode(undo) + b"\n" for undo in left))
        aside.replace(self._path)


def _call(undo: Undo, environ: Mapping[str, str]) -> None:
    if not undo.module.startswith(ACTIONS):
        raise RollbackFailed([f"{undo}: not a module of {ACTIONS}"])
    getattr(importlib.import_module(undo.module), undo.function)(environ, **undo.arguments)
