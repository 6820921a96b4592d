"""Every example in a docstring of the library and the models is run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from types import ModuleType

import pytest

import faultline
import spark.models


def modules(package: ModuleType) -> list[str]:
    """Return the names of all modules below a package that can be imported without running anything."""
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    return [module.name for module in found if not module.name.endswith("__main__")]


@pytest.mark.parametrize("name", [*modules(faultline), *modules(spark.models)])
def test_examples_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
