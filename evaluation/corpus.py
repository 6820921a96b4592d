"""A labelled set as models see it: masked text, template and severity of each line, by unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from evaluation.datasets.labelled import NO_UNIT, NORMAL, TEST, TRAIN, LabelledSet
from evaluation.ledger import Ledger
from faultline.records import Event, Severity
from spark.models.base import Matrix
from spark.models.buckets import bucket_of
from spark.models.embedder import Embedder
from spark.models.lexical import LexicalEmbedder
from spark.models.scoring import masked_texts
from spark.models.semantic_training import MAX_DISTINCT_LINES
from spark.models.templates import TemplateTree, generalise, learn_templates
from spark.models.tone import TextEmbedder, Tone

Indices = npt.NDArray[np.int64]
CHUNK: Final = 20_000  # events masked at a time: bounds the memory of their texts
CALIBRATION_FRACTION: Final = 0.3  # as FAULTLINE_CALIBRATION_FRACTION's default: the later part of training time
SEVERE: Final = (Severity.ERROR, Severity.FATAL)


class Corpus:
    """Everything about a set that does not depend on what is learned from; made once, used by all arms."""

    def __init__(self, labelled: LabelledSet, encoder: Path) -> None:
        self.labelled = labelled
        self.ledger = Ledger()
        codes: dict[str, int] = {}
        self.masked: Indices = np.fromiter(
            (codes.setdefault(text, len(codes)) for text in _masked(labelled.events)), np.int64, len(labelled.events)
        )
        self.texts = tuple(codes)
        self.order, self.offsets = _by_unit(labelled.unit_of, len(labelled.units))
        self._embedders: dict[str, TextEmbedder] = {"lexical": LexicalEmbedder()}
        self._vectors: dict[str, dict[str, Matrix]] = {}
        self._encoder = encoder

    def lines_of(self, unit: int) -> Indices:
        """Return the events of a unit in their order."""
        return self.order[self.offsets[unit] : self.offsets[unit + 1]]

    def embed(self, texts: Sequence[str], space: str) -> Matrix:
        """Return float32 [n, d]; `space` is "minilm" or "lexical"; a text is embedded once."""
        known = self._vectors.setdefault(space, {})
        fresh = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(fresh, self._embedder(space).embed(fresh), strict=True))
        return np.stack([known[text] for text in texts]) if texts else np.empty((0, 0), np.float32)

    def leans(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return how far each text leans towards trouble, float32 [n], see spark/models/tone.py."""
        if not texts:
            return np.zeros(0, np.float32)
        tone = self.ledger.get(("tone",), lambda: Tone.of(self._embedder("minilm")))
        return tone.lean(self.embed(texts, "minilm"))

    def _embedder(self, space: str) -> TextEmbedder:
        if space not in self._embedders:
            self._embedders[space] = Embedder(self._encoder)
        return self._embedders[space]


def _masked(events: Sequence[Event]) -> Iterator[str]:
    for at in range(0, len(events), CHUNK):
        yield from masked_texts(events[at : at + CHUNK]).to_pylist()


def _by_unit(unit_of: Indices, units: int) -> tuple[Indices, Indices]:
    """Return event indices sorted by unit, and where each unit begins; events without a unit are left out."""
    order = np.argsort(unit_of, kind="stable")
    order = order[unit_of[order] != NO_UNIT]
    return order, np.searchsorted(unit_of[order], np.arange(units + 1)).astype(np.int64)


class Space:
    """Templates learned from some normal units, frozen; each distinct masked text of the corpus has one of them."""

    def __init__(self, corpus: Corpus, learned: Indices, known: TemplateTree | None = None) -> None:
        self.corpus = corpus
        counts = Counter(corpus.masked[_lines(corpus, learned)].tolist())
        distinct = {corpus.texts[code]: count for code, count in counts.most_common(MAX_DISTINCT_LINES)}
        if known is not None:
            fresh = {text: count for text, count in distinct.items() if known.match(text) is None}
            self.tree = TemplateTree([*known.templates, *learn_templates(fresh).templates])
        else:
            self.tree = learn_templates(distinct)
        matches = [self.tree.match(text) for text in corpus.texts]
        codes: dict[str, int] = {}
        templates = [match or generalise(text) for match, text in zip(matches, corpus.texts, strict=True)]
        self._code = np.array([codes.setdefault(template, len(codes)) for template in templates], np.int64)
        self.templates = tuple(codes)
        known_texts = np.array([match is not None for match in matches], bool)
        self.known = np.zeros(len(codes), bool)
        self.known[self._code[known_texts]] = True

    def template_of(self, lines: Indices) -> Indices:
        """Return the template code of each event."""
        return self._code[self.corpus.masked[lines]]


def _lines(corpus: Corpus, units: Indices) -> Indices:
    parts = [corpus.lines_of(int(unit)) for unit in units]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


@dataclass(frozen=True)
class Units:
    """Some units seen through a space: all an unsupervised arm is given, and no label among it."""

    space: Space
    index: Indices

    def __len__(self) -> int:
        return len(self.index)

    @property
    def corpus(self) -> Corpus:
        """The set the units belong to."""
        return self.space.corpus

    @property
    def lines(self) -> Indices:
        """Events of all units, unit by unit."""
        return _lines(self.corpus, self.index)

    @property
    def sizes(self) -> Indices:
        """Number of events of each unit, int64 [n]."""
        offsets = self.corpus.offsets
        return offsets[self.index + 1] - offsets[self.index]

    @property
    def groups(self) -> list[str]:
        """The service of each window; empty texts for other units."""
        return [self.corpus.labelled.units[unit].group for unit in self.index]

    def sequences(self) -> list[list[str]]:
        """Return the templates of each unit in their order."""
        codes = self.space.template_of(self.lines)
        names = [self.space.templates[code] for code in codes.tolist()]
        ends = np.cumsum(self.sizes).tolist()
        return [names[end - size : end] for end, size in zip(ends, self.sizes.tolist(), strict=True)]

    def highest(self, by_line: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the highest of the lines' values a unit, float32 [n]; 0 for a unit without lines."""
        result = np.zeros(len(self), np.float32)
        np.maximum.at(result, np.repeat(np.arange(len(self)), self.sizes), by_line)
        return result


@dataclass(frozen=True)
class Split:
    """Which units teach, calibrate and test; unsupervised arms see `earlier`, `later`, `normal` and `test` only."""

    earlier: Indices  # normal, first part of the training time
    later: Indices  # normal, last part
    train: Indices  # all of the training time, abnormal ones too: for the supervised bound alone
    test: Indices

    @property
    def normal(self) -> Indices:
        """All normal training units."""
        return np.concatenate([self.earlier, self.later])


def make_split(labelled: LabelledSet, fraction: float = CALIBRATION_FRACTION) -> Split:
    """Split normal training units in time as `semantic_training.split_by_time` does: by buckets with units."""
    train, labels = labelled.of_split(TRAIN), labelled.labels
    normal = train[labels[train] == NORMAL]
    buckets = [bucket_of(labelled.units[unit].start) for unit in normal]
    distinct = sorted(set(buckets))
    cut = distinct[int((len(distinct) - 1) * (1.0 - fraction))]
    is_earlier = np.array([bucket <= cut for bucket in buckets], bool)
    return Split(normal[is_earlier], normal[~is_earlier], train, labelled.of_split(TEST))
