"""The one rollback of every experiment: undo whatever has been noted."""

from __future__ import annotations

import os

from chaos.undo import UndoLedger


def undo_all() -> list[str]:
    """Undo every change noted in the ledger; returns the calls made. Raises RollbackFailed."""
    return UndoLedger.from_env(os.environ).undo_all()
