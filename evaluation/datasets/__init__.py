"""Labelled sets, one loader a file: a file put here that has FORMAT and `load` is found; no list is edited."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from evaluation.datasets.labelled import DatasetError, LabelledSet
from evaluation.datasets.options import DatasetOptions


def loaders() -> Mapping[str, ModuleType]:
    """Return the modules that read a format, by its name."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return {module.FORMAT: module for module in modules if hasattr(module, "FORMAT")}


def load(path: Path, name: str, options: DatasetOptions) -> LabelledSet:
    """Read a file or folder of a format; raises DatasetError saying what is wrong where."""
    module = loaders()[name]
    folder: str | None = getattr(module, "FOLDER", None)
    if folder is not None and (path / folder).is_dir():
        path = path / folder
    if folder is not None and not path.is_dir():
        raise DatasetError(f"{path} is no folder, expected the folder of set {name} with its README; see --format")
    found: LabelledSet = module.load(path, options)
    return found


def public_sets(root: Path) -> dict[str, Path]:
    """Return the folders of the public sets that lie below `root`, by format; two sets may share a folder."""
    folders = {name: root / module.FOLDER for name, module in loaders().items() if hasattr(module, "FOLDER")}
    return {name: folder for name, folder in sorted(folders.items()) if (folder / _file(name)).exists()}


def _file(name: str) -> str:
    """Return a file that tells a set from others in its folder; "" where the folder does."""
    return str(getattr(loaders()[name], "FILE", ""))
