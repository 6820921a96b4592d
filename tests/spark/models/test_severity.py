"""The prior on lines that call themselves an error."""

from __future__ import annotations

import pytest

from spark.models.severity import ROUTINE_WEIGHT, SEVERE_WEIGHT, severity_weight


@pytest.mark.parametrize("template", ["ERROR no stock", "FATAL", "status=Bad-Gateway GET /", "status=five-nine-nine -"])
def test_errors_weigh_more(template: str) -> None:
    assert severity_weight(template) == SEVERE_WEIGHT


@pytest.mark.parametrize("template", ["WARN slow", "no ERROR here", "status=Not-Found GET /", "", "ERRORS 5"])
def test_others_do_not(template: str) -> None:
    assert severity_weight(template) == 1.0


@pytest.mark.parametrize("template", ["INFO exported", "DEBUG exported", "exported", "status=OK GET /new"])
def test_what_reads_like_routine_weighs_nothing(template: str) -> None:
    assert severity_weight(template, -0.1) == ROUTINE_WEIGHT
    assert severity_weight(template, 0.1) == 1.0


@pytest.mark.parametrize("template", ["WARN exported", "status=Not-Found GET /new"])
def test_what_is_marked_is_never_routine(template: str) -> None:
    assert severity_weight(template, -0.1) == 1.0


def test_an_error_is_never_routine() -> None:
    assert severity_weight("ERROR exported", -0.1) == SEVERE_WEIGHT
