"""Every arm of the comparison; a file put here that has ARMS or BOUNDS is found, no list is edited."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from evaluation.arms.arm import Arm, Bound
from evaluation.datasets.labelled import UnitKind


def arms_for(kind: UnitKind, *, quick: bool = False) -> list[Arm]:
    """Return the arms that can judge such units, in the order of the files and of their lists."""
    found = [arm for module in _modules() for arm in getattr(module, "ARMS", ())]
    return [arm for arm in found if kind in arm.kinds and (arm.quick or not quick)]


def bounds_for(kind: UnitKind) -> list[Bound]:
    """Return the supervised arms for such units."""
    return [bound for module in _modules() for bound in getattr(module, "BOUNDS", ()) if kind in bound.kinds]


def _modules() -> list[ModuleType]:
    return [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
