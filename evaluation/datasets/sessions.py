"""Group events into sessions by a key, each with one label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from evaluation.datasets.labelled import (
    NO_UNIT,
    DatasetError,
    LabelledSet,
    Unit,
    UnitKind,
    Unreadable,
    check_usable,
    split_in_time,
)
from evaluation.datasets.options import DatasetOptions
from faultline.records import Event


@dataclass(frozen=True)
class SessionLabel:
    """What a labels' file says of a session; an empty split is decided by time."""

    label: int
    split: str = ""


def session_set(  # noqa: PLR0913 - the parts of a set
    name: str,
    events: Sequence[Event],
    keys: Sequence[str],
    labels: Mapping[str, SessionLabel],
    options: DatasetOptions,
    *,
    unreadable: Sequence[Unreadable] = (),
    weaknesses: Sequence[str] = (),
    timed: bool = False,
) -> LabelledSet:
    """Return sessions in order of their first line; lines of a session without a label belong to no unit.

    Raises DatasetError when no session that the log holds has a label.
    """
    first: dict[str, datetime] = {}
    for event, key in zip(events, keys, strict=True):
        first.setdefault(key, event.timestamp)
    known = [key for key in first if key in labels]
    if not known:
        raise DatasetError(
            f"{name}: none of {len(first)} sessions has a label (first in the log: {next(iter(first), 'none')!r}, first"
            f" labelled: {next(iter(labels), 'none')!r}); expected the ids that --session finds in the labels' file"
        )
    splits = [labels[key].split for key in known]
    if not all(splits):
        splits = split_in_time([first[key] for key in known], options.split)
    units = [Unit(key, labels[key].label, split, first[key]) for key, split in zip(known, splits, strict=True)]
    place = {key: index for index, key in enumerate(known)}
    missing = Counter(key for key in keys if key not in place)
    notes = [f"{sum(missing.values())} lines of {len(missing)} sessions have no label and were left out."]
    return check_usable(
        LabelledSet(
            name,
            UnitKind.SESSION,
            tuple(events),
            tuple(units),
            np.array([place.get(key, NO_UNIT) for key in keys], np.int64),
            timed=timed,
            lines_read=len(events) + len(unreadable),
            unreadable=tuple(unreadable),
            weaknesses=(*weaknesses, *(notes if missing else ())),
        )
    )
