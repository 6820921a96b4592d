"""Every example in a docstring of the experiments is run."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = ("aims", "comparison", "evidence", "misses", "plots", "quiet", "results", "tables", "timings")


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"chaos.{name}")).failed == 0
