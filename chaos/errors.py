"""What can go wrong with an experiment itself."""

from __future__ import annotations

from collections.abc import Sequence

from faultline.errors import FaultlineError


class ChaosError(FaultlineError):
    """Base of the errors of the experiments."""


class ExperimentError(ChaosError):
    """An experiment's file cannot be used; nothing has been touched."""


class TargetUnreachable(ChaosError):
    """What is to be injected into is not there; nothing has been injected."""


class RollbackFailed(ChaosError):
    """Some changes could not be undone; each is named, and stays in the ledger."""

    def __init__(self, problems: Sequence[str]) -> None:
        text = "\n  ".join(problems)
        super().__init__(f"not undone:\n  {text}\nmend the cause and run ./run chaos --roll-back")
        self.problems = tuple(problems)
