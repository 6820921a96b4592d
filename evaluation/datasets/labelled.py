"""What every loader yields: events of the project's own kind, grouped into units that carry label and split."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from faultline.errors import FaultlineError
from faultline.records import Event

NORMAL: Final = 0
ABNORMAL: Final = 1
NO_UNIT: Final = -1
TRAIN: Final = "train"
TEST: Final = "test"
_LABELS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("0", "-", "normal", "false", "no", "success"), NORMAL),
    **dict.fromkeys(("1", "anomaly", "abnormal", "anomalous", "true", "yes", "fail", "failure"), ABNORMAL),
}


class DatasetError(FaultlineError):
    """A labelled file is missing, or not of the form its format has."""


class UnitKind(StrEnum):
    """What is judged, and what a label belongs to."""

    LINE = "line"
    SESSION = "session"
    WINDOW = "window"


@dataclass(frozen=True)
class Unit:
    """One thing to judge: a line, the lines of a session, or a minute of a service."""

    key: str
    label: int
    split: str
    start: datetime
    group: str = ""  # the service of a window


@dataclass(frozen=True)
class Unreadable:
    """A line that was set aside, or read as plain text: where, and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class LabelledSet:
    """Events in time order; event i belongs to unit unit_of[i], or to none (NO_UNIT). A unit may have no event."""

    name: str
    kind: UnitKind
    events: tuple[Event, ...]
    units: tuple[Unit, ...]
    unit_of: npt.NDArray[np.int64]
    labelled: bool = True  # False: nobody looked; every alarm counts as false
    timed: bool = True  # False: no rate per day can be told from the times
    lines_read: int = 0
    unreadable: tuple[Unreadable, ...] = ()
    weaknesses: tuple[str, ...] = field(default=())

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Label of each unit, int64 [units]."""
        return np.array([unit.label for unit in self.units], np.int64)

    @property
    def slug(self) -> str:
        """The name as part of a file's name."""
        return re.sub(r"[^A-Za-z0-9._-]", "_", self.name)

    def of_split(self, split: str) -> npt.NDArray[np.int64]:
        """Return the units of a split in order of their start, int64 [k]."""
        chosen = [index for index, unit in enumerate(self.units) if unit.split == split]
        return np.array(sorted(chosen, key=lambda index: (self.units[index].start, index)), np.int64)


def parse_label(text: str, where: str) -> int:
    """Return NORMAL or ABNORMAL for what label columns hold; raises DatasetError with the place.

    >>> parse_label("Anomaly", "labels.csv:2"), parse_label("0", "labels.csv:3")
    (1, 0)
    """
    label = _LABELS.get(text.strip().lower())
    if label is None:
        raise DatasetError(f"{where}: label is {text!r}, expected 0 or 1, Normal or Anomaly")
    return label


def check_usable(labelled: LabelledSet) -> LabelledSet:
    """Return the set when it can be learned from and judged on; raises DatasetError saying what it lacks."""
    units = labelled.units
    counts = {
        (split, label): sum(unit.split == split and unit.label == label for unit in units)
        for split in (TRAIN, TEST)
        for label in (NORMAL, ABNORMAL)
    }
    if counts[TRAIN, NORMAL] < MIN_NORMAL or counts[TEST, NORMAL] < 1:
        raise DatasetError(
            f"{labelled.name}: {counts[TRAIN, NORMAL]} normal {labelled.kind}s to train and {counts[TEST, NORMAL]} to"
            f" test on, expected at least {MIN_NORMAL} and 1; give more lines, or another --split"
        )
    return labelled


MIN_NORMAL: Final = 10  # fewer leave nothing to calibrate on


def split_in_time(starts: Sequence[datetime], share: float) -> list[str]:
    """Return train for the first `share` of the units in order of their start, test for the rest."""
    order = sorted(range(len(starts)), key=lambda index: (starts[index], index))
    train = set(order[: round(share * len(starts))])
    return [TRAIN if index in train else TEST for index in range(len(starts))]
