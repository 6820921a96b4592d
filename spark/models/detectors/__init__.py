"""Every detector, one file each: a file put here is found, checked and offered by name, no list is edited."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import Any

from faultline.errors import ConfigError
from spark.models.base import Detector


def all_detectors() -> list[type[Detector]]:
    """Return the detector classes of this folder, in the order of their names."""
    return [found for _, found in sorted(_by_name().items())]


def detector_named(name: str) -> type[Detector]:
    """Return the detector class of a name; raises ConfigError that lists the names there are.

    >>> detector_named("nearest").__name__
    'NearestTemplate'
    """
    found = _by_name()
    if name not in found:
        raise ConfigError("detector", name, f"one of {', '.join(sorted(found))}")
    return found[name]


def _by_name() -> dict[str, type[Detector]]:
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    return {kind.name: kind for module in modules for kind in _detectors_in(module)}


def _detectors_in(module: ModuleType) -> list[type[Detector]]:
    """Return the public classes defined in a module, not imported by it, that carry a detector's name."""
    return [value for value in vars(module).values() if _is_detector(value) and value.__module__ == module.__name__]


def _is_detector(value: Any) -> bool:
    return isinstance(value, type) and isinstance(getattr(value, "name", None), str)
