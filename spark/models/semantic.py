"""The semantic model: masked line -> template -> how unlike normal time it reads -> decision."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache

from faultline.artifact import read_manifest, write_manifest
from faultline.errors import ArtifactError
from spark.models.base import Matrix
from spark.models.calibration import POOLED
from spark.models.detectors.nearest import NearestTemplate
from spark.models.embedder import Embedder
from spark.models.lexical import LexicalEmbedder
from spark.models.severity import ROUTINE_WEIGHT, severity_weights
from spark.models.templates import TemplateTree, generalise, template_id
from spark.models.threshold import ConformalThreshold
from spark.models.tone import TextEmbedder, Tone

DETECTOR: Final = "semantic"
CACHE_CHARS: Final = 16_000_000  # bounds each worker's line cache to some 40 MB whatever the lines are
EMBEDDINGS_PER_BATCH: Final = 64  # about 0.3 s; lines beyond are judged by their words, see `judge`
FORMAT: Final = 3


@dataclass(frozen=True)
class Verdict:
    """What the model says of a template; the decision also needs the source type."""

    template: str
    template_id: str
    known: bool
    arm: str  # "minilm", or "lexical" when the embedding budget of a batch was spent
    score: float
    nearest: str
    distance: float

    @property
    def routine(self) -> bool:
        """True for a line that is new and says nothing alarming: no evidence for any detector."""
        return not self.known and self.score == 0.0


CachedLine = tuple[int, Verdict]  # length of the masked line, which may be far longer than its template


@dataclass(frozen=True)
class Arm:
    """One way to compare texts: detector and thresholds belong to one embedding space."""

    detector: NearestTemplate
    thresholds: Mapping[str, ConformalThreshold]
    tone: Tone | None = None  # words alone have none

    def weights(self, templates: Sequence[str], x: Matrix) -> list[float]:
        """Return the prior weight of new templates, [n], with their embeddings x float32 [n, d]."""
        leans = [1.0] * len(templates) if self.tone is None else self.tone.lean(x).tolist()
        return severity_weights(templates, leans)

    def threshold(self, source_type: str) -> ConformalThreshold:
        """Return the threshold of a source type, or the pooled one."""
        return self.thresholds.get(source_type) or self.thresholds[POOLED]


class SemanticModel:
    """A trained model, loaded once per worker; caches are bounded by CACHE_CHARS."""

    def __init__(
        self,
        tree: TemplateTree,
        arms: Mapping[str, Arm],
        encoder: Path,
        version: str = "",
        *,
        cache_chars: int = CACHE_CHARS,
    ) -> None:
        self.tree = tree
        self.arms = arms
        self.encoder = encoder
        self.version = version
        self.primary = "minilm"  # the arm that judges; "lexical" needs no encoder and no budget a batch
        self.references = tree.templates
        self._embedders: dict[str, TextEmbedder] = {"lexical": LexicalEmbedder()}
        self._lines: LRUCache[str, CachedLine] = LRUCache(cache_chars, getsizeof=_line_size)
        self._unknown: LRUCache[str, Verdict] = LRUCache(cache_chars, getsizeof=_size)
        self._known: dict[str, Verdict] = {}

    def judge(self, masked: Sequence[str]) -> list[Verdict]:
        """Return one verdict per masked line.

        Known templates and cached lines cost a look-up. Of templates never seen before, at most
        EMBEDDINGS_PER_BATCH a call are embedded; the rest is compared by words, so that a flood of unique lines
        slows the stream by a bounded amount and no line goes unscored.
        """
        distinct = dict.fromkeys(masked)
        cached = {text: self._lines[text][1] for text in distinct if text in self._lines}
        fresh = {text: self._look_up(text) for text in distinct if text not in cached}
        judged = self._judge_unknown(fresh)
        for text, verdict in judged.items():
            if verdict.arm == self.primary:
                self._lines[text] = (len(text), verdict)
        verdicts = cached | judged  # not from the cache again: it may have dropped some for the new ones
        return [verdicts[text] for text in masked]

    def _look_up(self, text: str) -> Verdict | None:
        template = self.tree.match(text)
        if template is None:
            return self._unknown.get(generalise(text))
        if template not in self._known:
            self._fill_known()
        return self._known[template]

    def _fill_known(self) -> None:
        """A template of normal time is its own nearest: it scores 0, see `NearestTemplate`."""
        for row, template in enumerate(self.references):
            self._known[template] = self._verdict(template, self.primary, (row, 0.0, 1.0), known=True)

    def routine_templates(self) -> set[str]:
        """Return the ids of the known templates that would be no evidence if they were new."""
        arm = self.arms[self.primary]
        weights = arm.weights(self.references, arm.detector.normal)
        found = zip(self.references, weights, strict=True)
        return {template_id(text) for text, weight in found if weight == ROUTINE_WEIGHT}

    def _judge_unknown(self, fresh: Mapping[str, Verdict | None]) -> dict[str, Verdict]:
        """Return `fresh` with the verdicts that are missing; equal templates share one embedding."""
        templates = {text: generalise(text) for text, verdict in fresh.items() if verdict is None}
        distinct = list(dict.fromkeys(templates.values()))
        verdicts: dict[str, Verdict] = {}
        embedded = EMBEDDINGS_PER_BATCH if self.primary == "minilm" else 0
        for arm, chosen in (("minilm", distinct[:embedded]), ("lexical", distinct[embedded:])):
            if chosen:
                x = self._embedder(arm).embed(chosen)
                index, score = self.arms[arm].detector.nearest(x)
                found = zip(index.tolist(), score.tolist(), self.arms[arm].weights(chosen, x), strict=True)
                for template, parts in zip(chosen, found, strict=True):
                    verdicts[template] = self._verdict(template, arm, parts, known=False)
        self._unknown.update({t: verdict for t, verdict in verdicts.items() if verdict.arm == self.primary})
        return {text: verdict or verdicts[templates[text]] for text, verdict in fresh.items()}

    def _verdict(self, template: str, arm: str, found: tuple[int, float, float], *, known: bool) -> Verdict:
        """Make a verdict of the nearest reference's row, the detector's score and the prior weight."""
        index, score, weight = found
        distance = score / self.arms[arm].detector.rarity_of(index)
        return Verdict(template, template_id(template), known, arm, score * weight, self.references[index], distance)

    def _embedder(self, arm: str) -> TextEmbedder:
        if arm not in self._embedders:
            self._embedders[arm] = Embedder(self.encoder)
        return self._embedders[arm]

    def warm(self) -> None:
        """Load the encoder and score the known templates now, so that the first line does not wait for it."""
        self._fill_known()
        self._embedder(self.primary).embed(["warm"])

    def save(self, folder: Path, **facts: Any) -> str:
        """Write the model and its manifest; return its version."""
        folder.mkdir(parents=True, exist_ok=True)
        state: dict[str, Any] = {
            "format": FORMAT,
            "encoder": self.encoder.name,
            "primary": self.primary,
            "templates": self.references,
        }
        for name, arm in self.arms.items():
            (folder / name).mkdir(exist_ok=True)
            arm.detector.save(folder / name)
            if arm.tone is not None:
                arm.tone.save(folder / name)
            state[name] = {source: threshold.to_json() for source, threshold in arm.thresholds.items()}
        (folder / "model.json").write_text(json.dumps(state, sort_keys=True))
        self.version = write_manifest(folder, detector=DETECTOR, **facts)
        return self.version

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Check the manifest and load; raises ArtifactError saying what is wrong with which file."""
        manifest = read_manifest(folder)
        state = json.loads((folder / "model.json").read_text())
        if state["format"] != FORMAT:
            raise ArtifactError(f"{folder}: format {state['format']}, expected {FORMAT}; train again with this version")
        arms = {
            name: Arm(
                NearestTemplate.load(folder / name),
                {source: ConformalThreshold.from_json(values) for source, values in state[name].items()},
                Tone.load(folder / name),
            )
            for name in ("minilm", "lexical")
        }
        encoder = folder.resolve().parent / "encoder" / state["encoder"]
        model = cls(TemplateTree(state["templates"]), arms, encoder, manifest["version"])
        model.primary = state["primary"]
        return model


def _size(verdict: Verdict) -> int:
    return 2 * len(verdict.template) + len(verdict.nearest) + 200


def _line_size(line: CachedLine) -> int:
    return line[0] + _size(line[1])


def decide(
    model: SemanticModel, verdicts: Sequence[Verdict], source_types: Sequence[str]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return p-value and decision for each pair of verdict and source type."""
    p_values, abnormal = np.ones(len(verdicts)), np.zeros(len(verdicts), bool)
    groups: dict[tuple[str, str], list[int]] = {}
    for row, pair in enumerate(zip((v.arm for v in verdicts), source_types, strict=True)):
        groups.setdefault(pair, []).append(row)
    for (arm, source_type), rows in groups.items():
        threshold = model.arms[arm].threshold(source_type)
        scores = np.array([verdicts[row].score for row in rows], np.float32)
        p_values[rows] = threshold.p_values(scores)
        abnormal[rows] = threshold.is_anomaly(scores)
    return p_values, abnormal
