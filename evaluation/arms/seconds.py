"""What the numbers of a service do, second by second, as the stream judges them: facts, windows, profile."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from evaluation.arms.arm import Arm, Family
from evaluation.arms.structured import WINDOWS
from evaluation.corpus import Space, Units
from evaluation.datasets.service_windows import WINDOW
from spark.models.base import Vector
from spark.models.features import Fact
from spark.models.payloads import ScoredLines
from spark.models.severity import ROUTINE_WEIGHT, severity_weight, severity_weights
from spark.models.structured import Profile, score
from spark.models.structured_training import FOLDS
from spark.models.templates import template_id
from spark.models.windows import DELAY_SECONDS, RowTable, Windows

MIN_SECONDS: Final = 2 * FOLDS  # as structured_training.normal_time: a service that shows fewer gets no profile
UNIT_SECONDS: Final = int(WINDOW.total_seconds())
Stretch = list[tuple[int, datetime]]  # (row of the unit, its start): minutes of a service without a gap between them


@dataclass
class ServiceTime:
    """The closed seconds of one service: row i of `rows` lies in unit `units[i]`."""

    units: list[int] = field(default_factory=list)
    rows: RowTable = field(default_factory=RowTable)


class SecondsScorer:
    """A minute scores as the highest of its seconds; `structured.score` of what `windows.Windows` shows then.

    Train and stream use these same functions. What is left out of them: the threshold (all arms have the same one
    here), and `drift.py`, which moves a profile by what the threshold calls normal. A second tells of the 15 before
    it, so a fault may show in the minute after. 0 where nothing can be told: no profile, or no line in the stretch yet.
    """

    def __init__(self) -> None:
        self._profiles: dict[str, Profile] = {}

    def fit(self, normal: Units) -> Self:
        """Learn a profile of each service; time outside the given units is as if it had not been recorded."""
        space = normal.space
        names = np.array([template_id(template) for template in space.templates])
        routine = set(names[_reads_like_routine(space)].tolist())
        self._profiles = {
            service: Profile.fit(time.rows, np.arange(len(time.rows)), routine)
            for service, time in service_times(normal).items()
            if len(time.rows) >= MIN_SECONDS
        }
        return self

    def score(self, units: Units) -> Vector:
        """Return float32 [n]."""
        scores = np.zeros(len(units), np.float64)
        for service, time in service_times(units).items():
            if service in self._profiles:
                deviations = self._profiles[service].deviations(time.rows)
                np.maximum.at(scores, np.array(time.units, np.int64), score(deviations))
        return scores.astype(np.float32)


def service_times(units: Units) -> dict[str, ServiceTime]:
    """Return the windows of each service, begun anew after each gap in the given units."""
    facts: dict[str, list[Fact]] = defaultdict(list)
    for fact in _facts(units):
        facts[fact.service_name].append(fact)
    found: dict[str, ServiceTime] = {}
    for service, stretches in _stretches(units).items():
        time = found.setdefault(service, ServiceTime())
        for stretch in stretches:
            for row, values in _closed(stretch, facts[service]):
                time.units.append(row)
                time.rows.append(values)
    return {service: time for service, time in found.items() if len(time.rows)}


def _facts(units: Units) -> list[Fact]:
    """Count lines as the stream's workers do; a line is taken to have reached the broker when it was written."""
    events = [units.corpus.labelled.events[line] for line in units.lines]
    codes = units.space.template_of(units.lines)
    ids = [template_id(template) for template in units.space.templates]
    moments = [event.observed_timestamp for event in events]
    named = [ids[code] for code in codes.tolist()]
    known, routine = units.space.known[codes].tolist(), _routine(units)[codes].tolist()
    return ScoredLines(events, moments, [0] * len(events), named, known, routine).facts(None)


def _routine(units: Units) -> npt.NDArray[np.bool_]:
    """Return which templates are new and say nothing alarming, bool [templates], as Verdict.routine."""
    return _reads_like_routine(units.space) & ~units.space.known


def _reads_like_routine(space: Space) -> npt.NDArray[np.bool_]:
    """Return which templates say nothing alarming, bool [templates]."""
    able = [code for code, template in enumerate(space.templates) if _can_be_routine(template)]
    texts = [space.templates[code] for code in able]
    leans = space.corpus.leans(texts).tolist()
    routine = np.zeros(len(space.templates), bool)
    routine[able] = [weight == ROUTINE_WEIGHT for weight in severity_weights(texts, leans)]
    return routine


def _can_be_routine(template: str) -> bool:
    return severity_weight(template, -1.0) == ROUTINE_WEIGHT


def _stretches(units: Units) -> dict[str, list[Stretch]]:
    found: dict[str, list[Stretch]] = defaultdict(list)
    minutes = [(units.corpus.labelled.units[unit].start, row) for row, unit in enumerate(units.index.tolist())]
    groups = units.groups
    for start, row in sorted(minutes):
        stretches = found[groups[row]]
        if not stretches or start - stretches[-1][-1][1] != WINDOW:
            stretches.append([])
        stretches[-1].append((row, start))
    return found


def _closed(stretch: Stretch, facts: Iterable[Fact]) -> Iterator[tuple[int, dict[str, float]]]:
    """Yield (row of the unit, window) for each second of a stretch, silence up to its end included."""
    begin = int(stretch[0][1].timestamp())
    end = begin + len(stretch) * UNIT_SECONDS
    windows = Windows()
    windows.add(fact for fact in facts if begin <= fact.second < end)
    for place, (row, _) in enumerate(stretch):  # minute by minute: that nobody else writes is no gap in the recording
        last = begin + (place + 1) * UNIT_SECONDS - 1
        for _, _, values in windows.advance(last + DELAY_SECONDS):
            yield row, values


ARMS: Final = (
    Arm(
        "structured",
        Family.STRUCTURED,
        "highest deviation of a minute's seconds from the service's profile: lines, levels, templates, silence",
        SecondsScorer,
        WINDOWS,
        streams=True,
    ),
)
