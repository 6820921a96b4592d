"""The prior on lines that call themselves an error."""

from __future__ import annotations

import pytest

from spark.models.severity import SEVERE_WEIGHT, severity_weight


@pytest.mark.parametrize("template", ["ERROR no stock", "FATAL", "status=Bad-Gateway GET /", "status=five-nine-nine -"])
def test_errors_weigh_more(template: str) -> None:
    assert severity_weight(template) == SEVERE_WEIGHT


@pytest.mark.parametrize("template", ["WARN slow", "no ERROR here", "status=Not-Found GET /", "", "ERRORS 5"])
def test_others_do_not(template: str) -> None:
    assert severity_weight(template) == 1.0
