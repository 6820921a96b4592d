"""Training: what teaches, what calibrates, and data that is too little or has a bad clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from faultline.errors import TrainingDataError
from spark.models.semantic import SemanticModel, decide
from spark.models.semantic_training import Budget, CountedLine, split_by_time, train

START = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
Normal = Callable[..., list[CountedLine]]


def lines_at(*seconds: int) -> list[CountedLine]:
    return [CountedLine("nginx_error", "nginx", "a", START + timedelta(seconds=at), 1) for at in seconds]


def test_the_last_part_of_the_time_is_held_out() -> None:
    earlier, later = split_by_time(lines_at(*range(0, 50, 5)), 0.3)
    assert earlier == lines_at(0, 5, 10, 15, 20, 25, 30)
    assert later == lines_at(35, 40, 45)


def test_the_order_of_the_lines_is_irrelevant_to_the_split() -> None:
    earlier, later = split_by_time(lines_at(45, 0, 10, 5, 40, 15, 20, 35, 25, 30), 0.3)
    assert max(line.bucket for line in earlier) < min(line.bucket for line in later)


@pytest.mark.parametrize("fraction", [0.05, 0.3, 0.9])
@pytest.mark.parametrize("buckets", [2, 3, 10])
def test_both_parts_hold_something(fraction: float, buckets: int) -> None:
    earlier, later = split_by_time(lines_at(*range(0, 5 * buckets, 5)), fraction)
    assert (len(earlier) > 0, len(later) > 0) == (True, True)


@pytest.mark.parametrize("year", [2000, 2199])
def test_a_line_from_another_decade_does_not_move_the_split(year: int) -> None:
    far = CountedLine("nginx_error", "nginx", "a", START.replace(year=year), 1)
    earlier, later = split_by_time([*lines_at(*range(0, 500, 5)), far], 0.3)
    assert (len(earlier), len(later)) in ((70, 31), (71, 30))


def test_no_lines_are_too_little() -> None:
    with pytest.raises(
        TrainingDataError, match="no lines to learn from, expected some minutes of normal time in topic"
    ):
        split_by_time([], 0.3)


def test_one_bucket_is_too_little() -> None:
    with pytest.raises(TrainingDataError) as caught:
        split_by_time(lines_at(5, 5, 5), 0.3)
    assert str(caught.value) == (
        "all lines fall at 2026-01-02T12:00:05+00:00, expected several time buckets; watch for longer"
    )


def judge(model: SemanticModel, *texts: str) -> list[bool]:
    return [bool(flag) for flag in decide(model, model.judge(texts), ["app_container_log"] * len(texts))[1]]


def test_templates_of_held_out_time_are_known_afterwards(encoder: Path, normal: Normal) -> None:
    model = train(normal(), encoder, Budget(1.0, 0.3))
    assert "INFO cache of articles renewed" in model.references
    assert judge(model, "INFO cache of articles renewed", "ERROR payments failed: connection refused") == [False, True]


def test_the_order_of_the_lines_is_irrelevant(encoder: Path, normal: Normal) -> None:
    lines = normal()
    model, again = (train(order, encoder, Budget(1.0, 0.3)) for order in (lines, lines[::-1]))
    assert again.references == model.references
    for name, arm in model.arms.items():
        assert {k: t.to_json() for k, t in again.arms[name].thresholds.items()} == {
            k: t.to_json() for k, t in arm.thresholds.items()
        }


@pytest.mark.parametrize("year", [2000, 2199])
def test_one_bad_clock_does_not_change_what_is_abnormal(encoder: Path, normal: Normal, year: int) -> None:
    far = CountedLine("app_container_log", "orders", "INFO clock is off", START.replace(year=year), 1)
    model = train([*normal(), far], encoder, Budget(1.0, 0.3))
    texts = ("INFO charged <NUM> EUR for order <NUM>", "ERROR payments failed: connection refused")
    assert judge(model, *texts) == [False, True]


def test_lines_beyond_the_most_frequent_are_left_out_and_training_ends(
    encoder: Path, normal: Normal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spark.models.semantic_training.MAX_DISTINCT_LINES", 4)
    rare = [CountedLine("app_container_log", "orders", f"rare {c}", START, 1) for c in "abcdefgh"]
    model = train([*normal(), *rare], encoder, Budget(1.0, 0.3))
    assert len(model.references) <= 4 + 4
    assert "INFO charged <NUM> EUR for order <NUM>" in model.references


def test_one_constant_template_is_enough(encoder: Path) -> None:
    times = [START + timedelta(seconds=5 * number) for number in range(40)]
    constant = [CountedLine("app_container_log", "orders", "INFO alive", moment, 5) for moment in times]
    model = train(constant, encoder, Budget(1.0, 0.3))
    verdicts = model.judge(["INFO alive", "ERROR disk full"])
    _, abnormal = decide(model, verdicts, ["app_container_log"] * 2)
    assert model.references == ("INFO alive",)
    assert abnormal.tolist() == [False, True]
