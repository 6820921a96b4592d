"""Learn a semantic model from counted lines of normal time: earlier time teaches, later time calibrates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from faultline.errors import TrainingDataError
from spark.models.embedder import Embedder
from spark.models.lexical import LexicalEmbedder
from spark.models.nearest import NearestTemplate
from spark.models.semantic import POOLED, Arm, SemanticModel, TextEmbedder
from spark.models.templates import TemplateTree, generalise, learn_templates
from spark.models.threshold import ConformalThreshold

MAX_DISTINCT_LINES: Final = 20_000  # most frequent masked lines kept for learning; bounds time and memory


@dataclass(frozen=True)
class CountedLine:
    """How often a masked line was written within one time bucket."""

    source_type: str
    masked: str
    bucket: datetime
    lines: int


@dataclass(frozen=True)
class Budget:
    """False alarms allowed per day over all source types, and the share of time held out to calibrate."""

    per_day: float
    calibration_fraction: float


def train(lines: Sequence[CountedLine], encoder: Path, budget: Budget) -> SemanticModel:
    """Return a model of normal time.

    The first part of the time span teaches templates and normal vectors, the rest is scored against that and
    calibrates. Afterwards the held-out templates join the normal ones: scores can only fall by it, so the
    threshold stays valid. Raises TrainingDataError when there are no lines, or all lie in one bucket.
    """
    earlier, later = split_by_time(lines, budget.calibration_fraction)
    embedders: dict[str, TextEmbedder] = {"minilm": Embedder(encoder), "lexical": LexicalEmbedder()}
    calibration_tree = learn_templates(_count(earlier))
    tree = TemplateTree([*calibration_tree.templates, *learn_templates(_unmatched(calibration_tree, later)).templates])
    seconds = _span(lines).total_seconds()
    arms = {}
    for name, embedder in embedders.items():
        held_out = _held_out_scores(calibration_tree, earlier, later, embedder)
        detector = _fit(embedder, tree, lines)
        arms[name] = Arm(detector, _thresholds(held_out, lines, seconds, budget))
    return SemanticModel(tree, arms, encoder)


def split_by_time(
    lines: Sequence[CountedLine], calibration_fraction: float
) -> tuple[list[CountedLine], list[CountedLine]]:
    """Return (earlier, later): the last `calibration_fraction` of the time span is held out."""
    if not lines:
        raise TrainingDataError("no lines to learn from, expected some minutes of normal time in topic logs")
    first, last = min(line.bucket for line in lines), max(line.bucket for line in lines)
    cut = first + (last - first) * (1.0 - calibration_fraction)
    earlier = [line for line in lines if line.bucket <= cut]
    later = [line for line in lines if line.bucket > cut]
    if not later:
        raise TrainingDataError(
            f"all lines fall at {first.isoformat()}, expected several time buckets; watch for longer"
        )
    return earlier, later


def _span(lines: Sequence[CountedLine]) -> timedelta:
    buckets = sorted({line.bucket for line in lines})
    width = min(b - a for a, b in pairwise(buckets))
    return buckets[-1] - buckets[0] + width


def _count(lines: Sequence[CountedLine]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for line in lines:
        counts[line.masked] += line.lines
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_DISTINCT_LINES])


def _unmatched(tree: TemplateTree, lines: Sequence[CountedLine]) -> dict[str, int]:
    return {masked: count for masked, count in _count(lines).items() if tree.match(masked) is None}


def _template_counts(tree: TemplateTree, lines: Sequence[CountedLine]) -> Counter[tuple[str, str]]:
    """Count (source type, template); a line beyond MAX_DISTINCT_LINES may match none and is left out."""
    counts: Counter[tuple[str, str]] = Counter()
    for line in lines:
        template = tree.match(line.masked)
        if template is not None:
            counts[line.source_type, template] += line.lines
    return counts


def _fit(embedder: TextEmbedder, tree: TemplateTree, lines: Sequence[CountedLine]) -> NearestTemplate:
    """Fit on every template of the tree, in the tree's order: row i is template i."""
    seen: Counter[str] = Counter()
    for (_, template), count in _template_counts(tree, lines).items():
        seen[template] += count
    counts = np.array([seen[template] for template in tree.templates], np.int64)
    return NearestTemplate().fit(embedder.embed(tree.templates), counts)


def _held_out_scores(
    tree: TemplateTree, earlier: Sequence[CountedLine], later: Sequence[CountedLine], embedder: TextEmbedder
) -> list[tuple[str, float, int]]:
    """Return (source type, score, lines) of held-out time, scored as the stream would."""
    counts: Counter[tuple[str, str]] = Counter()
    for line in later:
        counts[line.source_type, tree.match(line.masked) or generalise(line.masked)] += line.lines
    pairs = sorted(counts)
    scores = _fit(embedder, tree, earlier).score(embedder.embed([template for _, template in pairs]))
    return [(pair[0], float(score), counts[pair]) for pair, score in zip(pairs, scores, strict=True)]


def _thresholds(
    held_out: Sequence[tuple[str, float, int]], lines: Sequence[CountedLine], seconds: float, budget: Budget
) -> Mapping[str, ConformalThreshold]:
    """Calibrate each source type on its own (Mondrian: Vovk et al. 2005, ch. 4.5), and all of them pooled."""
    rates: Counter[str] = Counter()
    for line in lines:
        rates[line.source_type] += line.lines
        rates[POOLED] += line.lines
    kinds = sorted({source for source, _, _ in held_out})
    chosen = {kind: [row for row in held_out if row[0] == kind] for kind in kinds} | {POOLED: list(held_out)}
    return {
        kind: ConformalThreshold.fit(
            np.array([score for _, score, _ in rows], np.float32),
            np.array([count for _, _, count in rows], np.int64),
            budget_per_day=budget.per_day / len(kinds),
            lines_per_day=rates[kind] / seconds * 86400,
        )
        for kind, rows in chosen.items()
    }
