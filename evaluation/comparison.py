"""Run every arm on one set: the same units to learn from, the same units to calibrate on, the same budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from evaluation.arms import arms_for, bounds_for
from evaluation.arms.arm import Arm, Bound, Family
from evaluation.combining import LEXICAL, Combined, combine, greatest, parts_of
from evaluation.corpus import Corpus, Indices, Space, Split, Units, make_split
from evaluation.datasets.labelled import LabelledSet
from evaluation.metrics import Flags, Metrics, measure
from evaluation.thresholds import fit_threshold
from faultline.stack.progress import Progress
from spark.models.base import Vector

NO_NUMBER: Final = float("nan")


@dataclass(frozen=True)
class Settings:
    """What a person chose for a run."""

    budget: float = 20.0  # with 2 % abnormal units, nine of ten alarms are then true
    seed: int = 7
    quick: bool = False


@dataclass(frozen=True)
class ArmResult:
    """What one arm said about the test units; `held_out` is empty for a supervised one."""

    name: str
    family: Family
    about: str
    held_out: Vector  # scores of the later part of normal training time
    scores: Vector
    p_values: npt.NDArray[np.float64]
    flags: Flags
    nominal: float  # the false-alarm rate that was asked for; NaN where a rule of its own decides
    train_seconds: float
    score_seconds: float
    metrics: Metrics
    streams: bool = False


@dataclass(frozen=True)
class SetResult:
    """All arms on one set."""

    labelled: LabelledSet
    split: Split
    space: Space
    arms: tuple[ArmResult, ...]
    budget: float

    @property
    def labels(self) -> Indices:
        """Labels of the test units."""
        return self.labelled.labels[self.split.test]

    def arm(self, name: str) -> ArmResult:
        """Return an arm by its name; raises KeyError listing the names."""
        found = {arm.name: arm for arm in self.arms}
        if name not in found:
            text = f"no arm is named {name!r}, expected one of {', '.join(found)}"
            raise KeyError(text)
        return found[name]


@dataclass(frozen=True)
class _Bench:
    """What all arms of a set share."""

    corpus: Corpus
    split: Split
    before: Space  # learned from `earlier`, to calibrate on `later`
    after: Space  # learned from both, to test
    settings: Settings

    @property
    def labels(self) -> Indices:
        return self.corpus.labelled.labels

    def measure(self, scores: Vector, flags: Flags) -> Metrics:
        return measure(self.labels[self.split.test], scores, flags, self.settings.seed)


def compare(labelled: LabelledSet, encoder: Path, settings: Settings, progress: Progress) -> SetResult:
    """Fit, calibrate and test every arm that can judge such units."""
    with progress.step(f"{labelled.name}: masking {len(labelled.events)} lines, learning templates"):
        bench = make_bench(labelled, encoder, settings)
    results: list[ArmResult] = []
    for arm in arms_for(labelled.kind, quick=settings.quick):
        with progress.step(f"{labelled.name}: {arm.name}"):
            results.append(run_arm(bench, arm))
    with progress.step(f"{labelled.name}: combinations, upper bound"):
        results += _run_combined(bench, results)
        results += _run_bounds(bench)
    return SetResult(labelled, bench.split, bench.after, tuple(results), settings.budget)


def make_bench(labelled: LabelledSet, encoder: Path, settings: Settings) -> _Bench:
    """Return the set as all arms see it."""
    corpus, split = Corpus(labelled, encoder), make_split(labelled)
    before = Space(corpus, split.earlier)
    return _Bench(corpus, split, before, Space(corpus, split.normal, before.tree), settings)


def run_arm(bench: _Bench, arm: Arm) -> ArmResult:
    """Calibrate on a model of the earlier part, then learn from all normal time, as `semantic_training.train` does."""
    split, ledger, own = bench.split, bench.corpus.ledger, arm.own_decision
    held_out = arm.make().fit(Units(bench.before, split.earlier)).score(Units(bench.before, split.later))
    threshold = fit_threshold(held_out, bench.settings.budget)
    model, train_seconds = ledger.timed(lambda: arm.make().fit(Units(bench.after, split.normal)))
    scores, score_seconds = ledger.timed(lambda: model.score(Units(bench.after, split.test)))
    flags = threshold.is_anomaly(scores) if own is None else own(held_out, scores)
    return ArmResult(
        arm.name,
        arm.family,
        arm.about,
        held_out,
        scores,
        threshold.p_values(scores),
        flags,
        threshold.level if own is None else NO_NUMBER,
        train_seconds,
        score_seconds,
        bench.measure(scores, flags),
        arm.streams,
    )


def _run_combined(bench: _Bench, results: Sequence[ArmResult]) -> list[ArmResult]:
    kind, budget = bench.corpus.labelled.kind, bench.settings.budget
    parts = [result for result in results if result.name in parts_of(kind)]
    by_words = [result for result in results if result.name in parts_of(kind, LEXICAL)]
    joined = [(parts, found) for found in combine(parts, budget)]
    return [_combined_result(bench, *pair) for pair in [*joined, (by_words, greatest(by_words, budget, "lexical"))]]


def _combined_result(bench: _Bench, parts: Sequence[ArmResult], found: Combined) -> ArmResult:
    threshold = fit_threshold(found.held_out, bench.settings.budget)
    return ArmResult(
        found.name,
        Family.COMBINED,
        found.about,
        found.held_out,
        found.scores,
        threshold.p_values(found.scores),
        found.flags,
        threshold.level,
        sum(part.train_seconds for part in parts),
        sum(part.score_seconds for part in parts),
        bench.measure(found.scores, found.flags),
    )


def _run_bounds(bench: _Bench) -> list[ArmResult]:
    """Run supervised arms where training time holds both labels."""
    labels = bench.labels[bench.split.train]
    kind = bench.corpus.labelled.kind
    return [_run_bound(bench, bound) for bound in bounds_for(kind)] if 0 < labels.sum() < len(labels) else []


def _run_bound(bench: _Bench, bound: Bound) -> ArmResult:
    split, ledger = bench.split, bench.corpus.ledger
    train = Units(bench.after, split.train)
    model, train_seconds = ledger.timed(lambda: bound.make().fit(train, bench.labels[split.train]))
    scores, score_seconds = ledger.timed(lambda: model.score(Units(bench.after, split.test)))
    flags = np.asarray(scores > 0)
    return ArmResult(
        bound.name,
        Family.BOUND,
        bound.about,
        np.empty(0, np.float32),
        scores,
        np.full(len(scores), NO_NUMBER),
        flags,
        NO_NUMBER,
        train_seconds,
        score_seconds,
        bench.measure(scores, flags),
    )
