"""Guard what `./run clean` removes."""

from __future__ import annotations

from pathlib import Path

from faultline.config import REPOSITORY
from faultline.errors import StackError


def check_removable(home: Path) -> None:
    """Raise StackError for a FAULTLINE_HOME that holds more than our files, or none of them."""
    keep = (REPOSITORY, Path.home())
    if any(home == folder or home in folder.parents for folder in keep):
        raise StackError(f"FAULTLINE_HOME is {home}, which holds more than Faultline's files; remove them by hand")
    if not (home / "run").is_dir():
        raise StackError(f"{home} holds nothing of Faultline: no folder run in it; nothing was removed")
