"""Learn a semantic model from counted lines of normal time: earlier time teaches, later time calibrates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np

from faultline.errors import TrainingDataError
from spark.models.calibration import ScoredLine, calibrate
from spark.models.detectors.nearest import NearestTemplate
from spark.models.embedder import Embedder
from spark.models.lexical import LexicalEmbedder
from spark.models.semantic import Arm, SemanticModel
from spark.models.templates import DEFAULT_GROUPING, Grouping, TemplateTree, generalise, learn_templates
from spark.models.tone import TextEmbedder, Tone

MAX_DISTINCT_LINES: Final = 20_000  # most frequent masked lines kept for learning; bounds time and memory


@dataclass(frozen=True)
class CountedLine:
    """How often a service wrote a masked line within one time bucket."""

    source_type: str
    service_name: str
    masked: str
    bucket: datetime
    lines: int


@dataclass(frozen=True)
class Budget:
    """False alerts allowed per day over all source types, the share of time held out to calibrate, and grouping."""

    per_day: float
    calibration_fraction: float
    grouping: Grouping = DEFAULT_GROUPING


def train(lines: Sequence[CountedLine], encoder: Path, budget: Budget) -> SemanticModel:
    """Return a model of normal time.

    The first part of the time span teaches templates and normal vectors, the rest is scored against that and
    calibrates. Afterwards the held-out templates join the normal ones: scores can only fall by it, so the
    threshold stays valid. Raises TrainingDataError when there are no lines, or all lie in one bucket.
    """
    earlier, later = split_by_time(lines, budget.calibration_fraction)
    embedders: dict[str, TextEmbedder] = {"minilm": Embedder(encoder), "lexical": LexicalEmbedder()}
    calibration_tree = learn_templates(_count(earlier), budget.grouping)
    added = learn_templates(_unmatched(calibration_tree, later), budget.grouping)
    tree = TemplateTree([*calibration_tree.templates, *added.templates])
    arms = {}
    tones = {"minilm": Tone.of(embedders["minilm"]), "lexical": None}
    for name, embedder in embedders.items():
        past = Arm(_fit(embedder, calibration_tree, earlier), {}, tones[name])
        held_out = _held_out_scores(calibration_tree, past, later, embedder)
        arms[name] = Arm(_fit(embedder, tree, lines), calibrate(held_out, budget.per_day), tones[name])
    return SemanticModel(tree, arms, encoder)


def split_by_time(
    lines: Sequence[CountedLine], calibration_fraction: float
) -> tuple[list[CountedLine], list[CountedLine]]:
    """Return (earlier, later): the last `calibration_fraction` of the buckets with lines is held out.

    Buckets are counted, not seconds: a line whose clock is years off must not be all that is learned from.
    """
    if not lines:
        raise TrainingDataError("no lines to learn from, expected some minutes of normal time in topic logs")
    buckets = sorted({line.bucket for line in lines})
    first, cut = buckets[0], buckets[int((len(buckets) - 1) * (1.0 - calibration_fraction))]
    earlier = [line for line in lines if line.bucket <= cut]
    later = [line for line in lines if line.bucket > cut]
    if not later:
        raise TrainingDataError(
            f"all lines fall at {first.isoformat()}, expected several time buckets; watch for longer"
        )
    return earlier, later


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
    tree: TemplateTree, past: Arm, later: Sequence[CountedLine], embedder: TextEmbedder
) -> list[ScoredLine]:
    """Score held-out time as the stream would, with what the time before it taught."""
    templates = [tree.match(line.masked) or generalise(line.masked) for line in later]
    distinct = sorted(set(templates))
    x = embedder.embed(distinct)
    known = set(tree.templates)
    scores = zip(distinct, past.detector.score(x), past.weights(distinct, x), strict=True)
    by_template = {text: 0.0 if text in known else float(score) * weight for text, score, weight in scores}
    return [
        ScoredLine(line.source_type, line.service_name, line.bucket, by_template[template], line.lines)
        for line, template in zip(later, templates, strict=True)
    ]
