"""The figures as tables: one row an arm, one row an incident, one row a point of the curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from evaluation.root_cause.curve import Point
from evaluation.root_cause.held_out import Ranked
from evaluation.root_cause.incidents import IncidentSet
from evaluation.root_cause.measures import Accuracy, guessed, measure
from faultline.reporting import inert
from faultline.statistics import Estimate

MEASURES = ("ac1", "ac3", "avg5", "mrr")


def accuracy_table(targets: Sequence[IncidentSet], ranked: Sequence[Ranked], seed: int) -> pd.DataFrame:
    """Return one row for every set, arm and hold-out; the guess has no interval: it is exact."""
    rows: list[dict[str, Any]] = []
    for target in targets:
        own = [found for found in ranked if found.incident in target.incidents]
        for arm, hold_out in dict.fromkeys((found.arm, found.hold_out) for found in own):
            chosen = [found for found in own if (found.arm, found.hold_out) == (arm, hold_out)]
            accuracy = measure([found.rank for found in chosen], [found.incident.kind for found in chosen], seed)
            about = {"set": target.name, "arm": arm, "held_out": hold_out.value, "incidents": len(chosen)}
            learned = min((found.learned_from for found in chosen), default=0)
            rows.append({**about, "learned_from_at_least": learned, **_figures(accuracy)})
        about = {"set": target.name, "arm": "guess", "held_out": "", "incidents": len(target.incidents)}
        rows.append({**about, "learned_from_at_least": 0, **dict(zip(MEASURES, guessed(target.services), strict=True))})
    return pd.DataFrame(rows)


def incident_table(ranked: Sequence[Ranked]) -> pd.DataFrame:
    """Return one row for every incident, arm and hold-out, with the five first names."""
    return pd.DataFrame(
        {
            "incident": inert(found.incident.name),
            "kind": found.incident.kind,
            "service": inert(found.incident.service),
            "at": found.incident.at,
            "arm": found.arm,
            "held_out": found.hold_out.value,
            "rank": found.rank,
            "candidates": len(found.incident.candidates.names),
            "first_five": inert(", ".join(found.order[:5])),
        }
        for found in ranked
    )


def curve_table(points: Sequence[Point]) -> pd.DataFrame:
    """Return one row a point."""
    return pd.DataFrame(
        {
            "verdicts": point.verdicts,
            "wrong": point.wrong,
            **_ends("false_alarms_left", point.false_alarms_left),
            **_ends("detections_kept", point.detections_kept),
            **_ends("ac1", point.ac1),
        }
        for point in points
    )


def _figures(accuracy: Accuracy) -> dict[str, float]:
    return {key: value for name in MEASURES for key, value in _ends(name, getattr(accuracy, name)).items()}


def _ends(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
