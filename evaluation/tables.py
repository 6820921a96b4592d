"""The figures as tables: one row an arm and set, one row a unit."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pandas as pd

from evaluation.comparison import ArmResult, SetResult
from evaluation.datasets.labelled import UnitKind
from faultline.reporting import inert


def arm_rows(result: SetResult) -> list[dict[str, Any]]:
    """Return one row of plain values an arm."""
    return [_row(result, arm) for arm in result.arms]


def _row(result: SetResult, arm: ArmResult) -> dict[str, Any]:
    figures = asdict(arm.metrics)
    intervals = {name: figures.pop(name) for name in list(figures) if name.endswith("_interval")}
    split = {
        f"{name.removesuffix('_interval')}_{end}": interval[place]
        for name, interval in intervals.items()
        for place, end in enumerate(("low", "high"))
    }
    return {
        "set": result.labelled.name,
        "unit": result.labelled.kind.value,
        "arm": arm.name,
        "family": arm.family.value,
        "streams": arm.streams,
        **figures,
        **split,
        "false_per_10000": arm.metrics.false_per_10000,
        "false_per_day": false_per_day(result, arm),
        "nominal_per_10000": 10_000 * arm.nominal,
        "train_seconds": arm.train_seconds,
        "score_seconds": arm.score_seconds,
        "test_units": len(result.labels),
        "abnormal_units": int(result.labels.sum()),
    }


def false_per_day(result: SetResult, arm: ArmResult) -> float:
    """Return false alarms a day of test time; NaN where the set's time means nothing or is not continuous."""
    if not result.labelled.timed or result.labelled.kind is UnitKind.WINDOW:
        return float("nan")
    starts = [result.labelled.units[unit].start for unit in result.split.test]
    days = (max(starts) - min(starts)).total_seconds() / 86_400
    return arm.metrics.false_alarms / days if days > 0 else float("nan")


def unit_table(result: SetResult) -> pd.DataFrame:
    """Return one row a test unit: its label, and score and decision of each arm."""
    units = [result.labelled.units[unit] for unit in result.split.test]
    columns: dict[str, Any] = {
        "set": result.labelled.name,
        "unit": [inert(unit.key) for unit in units],
        "start": [unit.start for unit in units],
        "label": result.labels,
    }
    for arm in result.arms:
        columns |= {f"score:{arm.name}": arm.scores, f"p:{arm.name}": arm.p_values, f"abnormal:{arm.name}": arm.flags}
    return pd.DataFrame(columns)
