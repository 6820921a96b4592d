"""Calibrate on what is alarmed on: not a line, but several abnormal lines of a service within seconds.

A rare harmless line, new or not, comes alone; a fault is written again and again. So the statistic of a window is the
ALERT_LINES-th highest score a service wrote in it: an alert fires just when that one is called abnormal. One line
of normal time that resembles nothing then costs no sensitivity, and the budget is one of alerts, not of lines.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import numpy as np

from faultline.alerting import ALERT_LINES, ALERT_WINDOW_SECONDS
from spark.models.buckets import BUCKET_SECONDS
from spark.models.threshold import ConformalThreshold

POOLED: Final = "*"  # threshold of a source type that normal time did not show
BUCKETS_A_WINDOW: Final = ALERT_WINDOW_SECONDS // BUCKET_SECONDS
MAX_SILENCE: Final = timedelta(hours=1)
WINDOWS_PER_DAY: Final = 86400 // BUCKET_SECONDS  # windows overlap: one begins with every bucket


@dataclass(frozen=True)
class ScoredLine:
    """How often a service wrote a line of some score within one time bucket of held-out time."""

    source_type: str
    service_name: str
    bucket: datetime
    score: float
    lines: int


def calibrate(held_out: Sequence[ScoredLine], budget_per_day: float) -> Mapping[str, ConformalThreshold]:
    """Return a threshold per source type, and the pooled one.

    Each source type is calibrated on its own (Mondrian conformal prediction, Vovk et al. 2005, ch. 4.5), so that
    one with many new templates does not blunt the others; the budget is shared out equally. Raises
    TrainingDataError when nothing was held out.
    """
    kinds = sorted({line.source_type for line in held_out})
    groups = {kind: [line for line in held_out if line.source_type == kind] for kind in kinds}
    return {
        kind: _fit(lines, budget_per_day / max(len(kinds), 1)) for kind, lines in {**groups, POOLED: held_out}.items()
    }


def _fit(lines: Sequence[ScoredLine], budget_per_day: float) -> ConformalThreshold:
    statistics = window_statistics(lines)
    services = len({line.service_name for line in lines})
    return ConformalThreshold.fit(
        np.array(statistics, np.float32),
        np.ones(len(statistics), np.int64),
        budget_per_day=budget_per_day,
        units_per_day=float(services * WINDOWS_PER_DAY),
    )


def window_statistics(lines: Sequence[ScoredLine]) -> list[float]:
    """Return the statistic of each window of each service, 0 where it wrote fewer than ALERT_LINES lines."""
    if not lines:
        return []
    scores: dict[tuple[str, datetime], list[tuple[float, int]]] = defaultdict(list)
    for line in lines:
        scores[line.service_name, line.bucket].append((line.score, line.lines))
    width, starts = timedelta(seconds=BUCKET_SECONDS), _window_starts({line.bucket for line in lines})
    return [
        _statistic([pair for i in range(BUCKETS_A_WINDOW) for pair in scores.get((service, start + i * width), ())])
        for service in sorted({line.service_name for line in lines})
        for start in starts
    ]


def _window_starts(buckets: Set[datetime]) -> list[datetime]:
    """Return every bucket from the first to the last, of a silence only the first MAX_SILENCE.

    Else a line whose clock is decades off would add a window for every five seconds of them.
    """
    width, moments = timedelta(seconds=BUCKET_SECONDS), sorted(buckets)
    gaps = [min(later - earlier, MAX_SILENCE) for earlier, later in pairwise(moments)]
    return [
        moment + i * width for moment, gap in zip(moments, [*gaps, width], strict=True) for i in range(gap // width)
    ]


def _statistic(scores: Sequence[tuple[float, int]]) -> float:
    """Return the ALERT_LINES-th highest of the scores, each counted as often as it was written."""
    seen = 0
    for score, lines in sorted(scores, reverse=True):
        seen += lines
        if seen >= ALERT_LINES:
            return score
    return 0.0
