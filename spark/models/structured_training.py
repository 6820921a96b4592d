"""Learn what the numbers of each service do in normal time, and calibrate on windows that were not learned from."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from faultline.errors import TrainingDataError
from spark.models.buckets import bucket_of
from spark.models.calibration import BUCKETS_A_WINDOW, ScoredLine, calibrate
from spark.models.features import Fact
from spark.models.structured import Profile, StructuredModel, score
from spark.models.threshold import ConformalThreshold
from spark.models.windows import DELAY_SECONDS, WIDTH, RowTable, Windows

FOLDS: Final = 5
MAX_SECONDS: Final = 86400  # of normal time, the last ones; bounds memory to some 50 MB a service


@dataclass
class NormalTime:
    """The windows of one service: a row per second."""

    seconds: list[int]
    rows: RowTable


def train(
    facts: Iterable[Fact], templates: Mapping[str, str], budget_per_day: float, routine: Container[str] = ()
) -> StructuredModel:
    """Return profiles of all normal time, calibrated by cross-conformal prediction (Vovk 2015, arXiv 1208.0806).

    Each fifth of the time is scored with profiles of the other four, without the windows that overlap it; so all of a
    short normal time calibrates. `routine` as in Profile.fit. Raises TrainingDataError when no service has enough
    windows.
    """
    normal = normal_time(facts)
    held_out = [line for service, time in normal.items() for line in _scored(service, time, routine)]
    profiles = {service: Profile.fit(time.rows, np.arange(len(time.rows)), routine) for service, time in normal.items()}
    used = {name for profile in profiles.values() for name in profile.names}
    names = {key: text for key, text in templates.items() if any(f"template:{key}/" in name for name in used)}
    thresholds = calibrate(held_out, budget_per_day)
    floors = {kind: tail_floor(threshold) for kind, threshold in thresholds.items()}
    return StructuredModel(profiles, thresholds, floors, names)


def tail_floor(threshold: ConformalThreshold) -> float:
    """Return the score that normal time reaches as seldom as the budget wants, by the shape of its tail.

    Held-out time that is shorter than the budget's can only say "higher than anything seen", which the next minutes
    will exceed. So the tail is continued: excesses over the median (peaks over threshold, Siffer et al. 2017, doi
    10.1145/3097983.3098144), exponential in the square of the score, as the tail of deviations in units of their own
    standard deviation is: with a mean of at least 2, that of the normal distribution, and as great as it may be at 95 %
    confidence with so few windows that do not overlap. 0 once held-out time is long enough to do without.
    """
    if threshold.units * threshold.alpha >= 1.0:
        return 0.0
    from scipy.stats import chi2

    counts = threshold.at_least - np.append(threshold.at_least[1:], 0)
    squares = np.repeat(threshold.scores.astype(np.float64) ** 2, counts)
    median = float(np.median(squares))
    freedom = max(2.0, threshold.units / BUCKETS_A_WINDOW)  # twice the windows in the upper half
    excess = float(np.mean(squares[squares >= median] - median)) * freedom / float(chi2.ppf(0.05, freedom))
    return math.sqrt(median + max(2.0, excess) * math.log(0.5 / threshold.alpha))


def normal_time(facts: Iterable[Fact]) -> dict[str, NormalTime]:
    """Return the windows of each service, as the stream would compute them."""
    windows, newest = Windows(), 0
    for fact in facts:
        windows.add([fact])
        newest = max(newest, fact.second)
    normal: dict[str, NormalTime] = {}
    for service, second, row in windows.advance(newest + DELAY_SECONDS):
        if second > newest - MAX_SECONDS:
            time = normal.setdefault(service, NormalTime([], RowTable()))
            time.seconds.append(second)
            time.rows.append(row)
    enough = {service: time for service, time in normal.items() if len(time.seconds) >= FOLDS * 2}
    if not enough:
        raise TrainingDataError(
            f"{len(normal)} services with windows, none has {FOLDS * 2} of {WIDTH} s; watch normal time for longer"
        )
    return enough


def _scored(service: str, time: NormalTime, routine: Container[str]) -> list[ScoredLine]:
    """Score each fold with a profile of the others; a second stands where a line does in the calibration."""
    seconds, scores = np.array(time.seconds), np.zeros(len(time.seconds))
    for fold in np.array_split(np.arange(len(seconds)), FOLDS):
        near = (seconds > seconds[fold[0]] - WIDTH) & (seconds < seconds[fold[-1]] + WIDTH)
        others = np.flatnonzero(~near)
        if len(others):
            scores[fold] = score(Profile.fit(time.rows, others, routine).deviations(time.rows)[fold])
    moments = (bucket_of(datetime.fromtimestamp(second, UTC)) for second in time.seconds)
    return [ScoredLine(service, service, moment, float(s), 1) for moment, s in zip(moments, scores, strict=True)]
