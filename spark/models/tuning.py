"""One trial of a search for parameters: learn from earlier normal sessions, judge later ones, compare with labels.

Only the training split of a labelled set is seen, and of it only the later part is judged: the test split stays
unseen, and nothing is validated on what it was learned from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from faultline.errors import TrainingDataError
from faultline.records import Event
from spark.models.base import Matrix
from spark.models.detectors import detector_named
from spark.models.embedder import Embedder
from spark.models.parameters import Parameters
from spark.models.scoring import decode, masked_texts
from spark.models.templates import Grouping, generalise, learn_templates
from spark.models.threshold import ConformalThreshold

JUDGED: Final = 0.4  # share of the training sessions, the latest, that trials are compared on
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Examples:
    """Sessions in the order of their first line: label, and how often each masked line occurs."""

    labels: Labels
    lines: tuple[Counter[str], ...]

    def first_judged(self) -> int:
        """Return the index of the first session of the part that is judged."""
        return round(len(self.labels) * (1.0 - JUDGED))


def prepare(table: pa.Table) -> pa.Table:
    """Return (session, label, masked, lines) of labelled records (value, label, session), sessions numbered by time.

    Raises TrainingDataError when the part that is judged lacks normal or abnormal sessions: without both no trial can
    be told from another.
    """
    decoded = decode(table["value"].to_pylist())
    rows = [(row, item) for row, item in enumerate(decoded) if isinstance(item, Event)]
    events, names = [event for _, event in rows], table["session"].to_pylist()
    first: dict[str, float] = {}
    for row, event in rows:
        first[names[row]] = min(first.get(names[row], np.inf), event.timestamp.timestamp())
    numbers = {name: number for number, name in enumerate(sorted(first, key=lambda name: (first[name], name)))}
    labels = np.zeros(len(numbers), np.int64)
    counts: Counter[tuple[int, str]] = Counter()
    for (row, _), masked, label in zip(rows, masked_texts(events).to_pylist(), _taken(table, rows), strict=True):
        labels[numbers[names[row]]] = max(labels[numbers[names[row]]], label)
        counts[numbers[names[row]], masked] += 1
    _check(labels)
    fields = [(session, int(labels[session]), masked, lines) for (session, masked), lines in sorted(counts.items())]
    return pa.Table.from_pylist(
        [dict(zip(("session", "label", "masked", "lines"), row, strict=True)) for row in fields]
    )


def _taken(table: pa.Table, rows: Sequence[tuple[int, Event]]) -> list[int]:
    labels: list[int] = table["label"].to_pylist()
    return [labels[row] for row, _ in rows]


def _check(labels: Labels) -> None:
    judged = labels[round(len(labels) * (1.0 - JUDGED)) :]
    if len(set(judged.tolist())) < 2:
        text = f"{len(judged)} sessions to judge trials on, {int(judged.sum())} of them abnormal; expected some of both"
        raise TrainingDataError(f"{text}: label more of the training split, see test_labeled_parquet")


def write_examples(examples: pa.Table, path: Path) -> str:
    """Write what `prepare` returned where every worker can read it; return the path as text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(examples, path)
    return str(path)


@lru_cache(maxsize=1)
def load_examples(path: str) -> Examples:
    """Read what `prepare` returned, once per worker process."""
    table = pq.read_table(path)
    sessions = table["session"].to_numpy()
    labels, lines = np.zeros(sessions.max() + 1, np.int64), [Counter[str]() for _ in range(sessions.max() + 1)]
    columns = (table[name].to_pylist() for name in ("session", "label", "masked", "lines"))
    for session, label, masked, count in zip(*columns, strict=True):
        labels[session] = label
        lines[session][masked] += count
    return Examples(labels, tuple(lines))


class CachedEmbedder:
    """Embeds a text once per process: trials share most of their templates."""

    def __init__(self, encoder: Path) -> None:
        self._embedder = Embedder(encoder)
        self._known: dict[str, npt.NDArray[np.float32]] = {}

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Return float32 [n, 384]."""
        fresh = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known.update(zip(fresh, self._embedder.embed(fresh), strict=True))
        return np.stack([self._known[text] for text in texts])


@lru_cache(maxsize=1)
def _embedder(encoder: str) -> CachedEmbedder:
    return CachedEmbedder(Path(encoder))


def run_trial(examples: str, encoder: str, per_10_000: float, parameters: Parameters) -> dict[str, float]:
    """Return f1, precision, recall and false alarms per 10,000 normal sessions of one point of the search."""
    return judge(load_examples(examples), _embedder(encoder), per_10_000, parameters)


def judge(examples: Examples, embedder: CachedEmbedder, per_10_000: float, parameters: Parameters) -> dict[str, float]:
    """Learn and judge, see module; a session is as abnormal as its most abnormal line."""
    begin = examples.first_judged()
    normal = np.flatnonzero(examples.labels[:begin] == 0)
    cut = int(len(normal) * (1.0 - parameters.calibration_fraction))
    taught, held_out = [examples.lines[i] for i in normal[:cut]], [examples.lines[i] for i in normal[cut:]]
    judged = examples.lines[begin:]
    held_scores, scores = _scores(taught, [held_out, judged], embedder, parameters)
    units = np.ones(len(held_scores), np.int64)
    threshold = ConformalThreshold.fit(held_scores, units, budget_per_day=per_10_000, units_per_day=10_000.0)
    return _metrics(examples.labels[begin:], threshold.is_anomaly(scores))


def _scores(
    taught: Sequence[Counter[str]],
    asked: Sequence[Sequence[Counter[str]]],
    embedder: CachedEmbedder,
    parameters: Parameters,
) -> list[npt.NDArray[np.float32]]:
    counts: Counter[str] = Counter()
    for session in taught:
        counts.update(session)
    tree = learn_templates(counts, Grouping(parameters.similarity, parameters.min_values))
    seen: Counter[str] = Counter()
    for text, lines in counts.items():
        seen[tree.match(text) or generalise(text)] += lines
    detector = detector_named(parameters.detector)()
    detector.fit(embedder.embed(list(seen)), np.array(list(seen.values()), np.int64))
    masked = sorted({text for part in asked for session in part for text in session})
    templates = {text: tree.match(text) or generalise(text) for text in masked}
    distinct = sorted(set(templates.values()))
    by_template = dict(zip(distinct, detector.score(embedder.embed(distinct)).tolist(), strict=True))
    return [
        np.array([max(by_template[templates[text]] for text in session) for session in part], np.float32)
        for part in asked
    ]


def _metrics(labels: Labels, flagged: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Return the metrics of decisions; f1 is 0 where nothing abnormal was found."""
    found, false = int((flagged & (labels == 1)).sum()), int((flagged & (labels == 0)).sum())
    abnormal, normal = int((labels == 1).sum()), int((labels == 0).sum())
    return {
        "f1": 2.0 * found / (found + false + abnormal),
        "precision": found / max(found + false, 1),
        "recall": found / max(abnormal, 1),
        "false_per_10000": 10_000.0 * false / max(normal, 1),
    }
