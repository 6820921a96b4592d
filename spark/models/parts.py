"""Optional parts of a stored model: JSON beside the semantic part, made for one version of the features."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from faultline.errors import ArtifactError
from spark.models.features import FEATURES_VERSION

Part = TypeVar("Part")


def read_part(path: Path) -> dict[str, Any] | None:
    """Return the state of a part, None when the model has none; raises ArtifactError for one of other features.

    The manifest was checked when the semantic part was loaded.
    """
    if not path.is_file():
        return None
    state: dict[str, Any] = json.loads(path.read_text())
    if state["features"] != FEATURES_VERSION:
        text = f"{path}: made for features {state['features']}, this code computes {FEATURES_VERSION}; train again"
        raise ArtifactError(text)
    return state


class PartByFolder(dict[str, Part | None], Generic[Part]):
    """A part of the models below a folder, by the names of theirs; loaded with `load` when asked for."""

    def __init__(self, models: Path, load: Callable[[str], Part | None]) -> None:
        super().__init__()
        self._models, self._load = models, load

    def __missing__(self, name: str) -> Part | None:
        return self._load(str(self._models / name))
