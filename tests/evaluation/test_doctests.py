"""Every example in a docstring of the evaluation is run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import evaluation

MODULES = [module.name for module in pkgutil.walk_packages(evaluation.__path__, "evaluation.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
