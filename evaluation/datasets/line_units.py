"""Sets in which every line is judged on its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluation.datasets.labelled import LabelledSet, Unit, UnitKind, Unreadable, check_usable, split_in_time
from evaluation.datasets.options import DatasetOptions
from faultline.records import Event


def line_set(  # noqa: PLR0913 - the parts of a set
    name: str,
    events: Sequence[Event],
    labels: Sequence[int],
    splits: Sequence[str],
    options: DatasetOptions,
    *,
    unreadable: Sequence[Unreadable] = (),
    weaknesses: Sequence[str] = (),
    labelled: bool = True,
    timed: bool = False,
) -> LabelledSet:
    """Return one unit an event; `splits` [n], or empty: then decided by time."""
    chosen = list(splits) or split_in_time([event.timestamp for event in events], options.split)
    units = tuple(
        Unit(event.event_id, label, split, event.timestamp)
        for event, label, split in zip(events, labels, chosen, strict=True)
    )
    return check_usable(
        LabelledSet(
            name,
            UnitKind.LINE,
            tuple(events),
            units,
            np.arange(len(events), dtype=np.int64),
            labelled=labelled,
            timed=timed,
            lines_read=len(events) + len(unreadable),
            unreadable=tuple(unreadable),
            weaknesses=tuple(weaknesses),
        )
    )
