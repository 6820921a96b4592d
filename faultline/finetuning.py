"""How the program that needs torch is run: in its own environment, without a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from faultline.config import REPOSITORY
from faultline.errors import ConfigError

ENVIRONMENT: Final = ".venv-finetuning"
OFFLINE: Final = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1"}


def trainer_command(base: Path, pairs: Path, out: Path, environ: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return argv and environment; raises ConfigError when the environment has not been made."""
    python = REPOSITORY / ENVIRONMENT / "bin" / "python"
    if not python.exists():
        raise ConfigError(ENVIRONMENT, str(python), "an environment with torch: ./run finetune makes it")
    argv = [str(python), str(REPOSITORY / "finetuning" / "contrast.py"), str(base), str(pairs), str(out)]
    # Nothing of the project's own environment must be seen by the other one.
    kept = {name: value for name, value in environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    return argv, {**kept, **OFFLINE}
