"""Every example in a docstring of the library is run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import faultline

MODULES = [
    module.name
    for module in pkgutil.walk_packages(faultline.__path__, "faultline.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
