"""Why an arm was wrong: what false alarms and misses have in common with normal training time and with each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from evaluation.comparison import ArmResult, SetResult
from evaluation.corpus import Indices, Units
from evaluation.datasets.labelled import UnitKind

SHOWN: Final = 8
SHOWN_CHARS: Final = 240
Look = frozenset[str]  # the templates of a unit that normal training time never had


@dataclass(frozen=True)
class Group:
    """Units that were judged wrongly and look alike: how many, one of them, and how many of the other label do too."""

    units: int
    key: str
    line: str
    new_templates: int
    same_look_other_label: int


@dataclass(frozen=True)
class Diagnosis:
    """Wrong decisions of an arm."""

    false_alarms: int
    false_with_new_templates: int
    false_like_abnormal: int  # an abnormal test unit has just the same new templates
    missed: int
    missed_without_new_templates: int
    missed_with_seen_counts: int
    false_groups: tuple[Group, ...]
    missed_groups: tuple[Group, ...]


def diagnose(result: SetResult, arm: ArmResult) -> Diagnosis:
    """Look at the units an arm judged wrongly."""
    units, labels = Units(result.space, result.split.test), result.labels
    looks = _looks(units)
    false: Indices = np.flatnonzero(arm.flags & (labels == 0)).astype(np.int64)
    missed: Indices = np.flatnonzero(~arm.flags & (labels == 1)).astype(np.int64)
    abnormal = Counter(looks[i] for i in np.flatnonzero(labels == 1))
    normal = Counter(looks[i] for i in np.flatnonzero(labels == 0))
    return Diagnosis(
        len(false),
        sum(bool(looks[i]) for i in false),
        sum(bool(looks[i]) and abnormal[looks[i]] > 0 for i in false),
        len(missed),
        sum(not looks[i] for i in missed),
        int(_has_seen_counts(result)[missed].sum()),
        _groups(units, looks, false, abnormal),
        _groups(units, looks, missed, normal),
    )


def _looks(units: Units) -> list[Look]:
    known = units.space.known
    ends = np.cumsum(units.sizes).tolist()
    codes = units.space.template_of(units.lines)
    return [
        frozenset(units.space.templates[code] for code in set(codes[end - size : end].tolist()) if not known[code])
        for end, size in zip(ends, units.sizes.tolist(), strict=True)
    ]


def _has_seen_counts(result: SetResult) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Tell which test units have the counts of some normal training unit; for a line: a known template."""
    name = "new_template" if result.labelled.kind is UnitKind.LINE else "unseen_counts"
    return np.asarray(result.arm(name).scores == 0)


def _groups(units: Units, looks: Sequence[Look], wrong: Indices, other: Counter[Look]) -> tuple[Group, ...]:
    """Return the most frequent looks among wrongly judged units, each with its first unit."""
    found = Counter(looks[i] for i in wrong.tolist())
    first: dict[Look, int] = {}
    for i in wrong.tolist():
        first.setdefault(looks[i], i)
    return tuple(
        Group(count, _key(units, first[look]), evidence(units, first[look]), len(look), other[look])
        for look, count in sorted(found.items(), key=lambda item: (-item[1], first[item[0]]))[:SHOWN]
    )


def _key(units: Units, row: int) -> str:
    return units.corpus.labelled.units[int(units.index[row])].key


def evidence(units: Units, row: int) -> str:
    """Return the first line of a unit that normal time did not have, else its first line, as it was written."""
    lines = units.corpus.lines_of(int(units.index[row]))
    if len(lines) == 0:
        return "(no line)"
    new = ~units.space.known[units.space.template_of(lines)]
    event = units.corpus.labelled.events[lines[int(np.argmax(new))]]
    return f"{event.severity} {event.body}"[:SHOWN_CHARS]
