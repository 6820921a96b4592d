"""Learn what normal sessions are made of, and calibrate on sessions that were not learned from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from faultline.alerting import ALERT_LINES, ALERT_WINDOW_SECONDS
from spark.models.base import Vector
from spark.models.buckets import bucket_of
from spark.models.calibration import POOLED, ScoredLine, calibrate
from spark.models.detectors.count_neighbour import CountNeighbour
from spark.models.session_model import DETECTOR, SessionModel, count_matrix
from spark.models.session_state import read_shape
from spark.models.sessions import MAX_KNOWN, MAX_TEMPLATES, SessionVocabulary
from spark.models.threshold import ConformalThreshold

FOLDS: Final = 5
MAX_SHAPES: Final = 20_000  # distinct ones learned from; bounds memory to some 50 MB
MIN_SESSIONS: Final = 10 * FOLDS  # fewer say nothing of what sessions are like: no session part then
SECONDS_PER_DAY: Final = 86400
CUT_SHARE: Final = 0.99  # of sessions are no longer than what is left out at either end of normal time


Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Seen:
    """Sessions of normal time, in order of time: n rows, each of one shape and pair of seconds."""

    first: Ints  # [n] the second in which they began
    last: Ints  # [n] and ended
    shape: Ints  # [n] index into `texts`
    sessions: Ints  # [n] how many
    texts: Sequence[str]  # the shapes, see session_state.shape_text

    def where(self, chosen: npt.NDArray[np.bool_]) -> Seen:
        """Return the chosen rows."""
        return Seen(self.first[chosen], self.last[chosen], self.shape[chosen], self.sessions[chosen], self.texts)


def train(
    table: pa.Table, writers: Mapping[str, str], texts: Mapping[str, str], budget_per_day: float
) -> SessionModel | None:
    """Return what SESSION_SCHEMA rows teach; None where normal time shows fewer than MIN_SESSIONS whole sessions.

    Calibrated by cross-conformal prediction (Vovk 2015, arXiv 1208.0806): each fifth of the sessions, in order of time,
    is scored by what the other four teach. `writers` names the service that usually writes a template, `texts` what it
    says.
    """
    seen = whole_sessions(read_sessions(table))
    if seen.sessions.sum() < MIN_SESSIONS:
        return None
    vocabulary, neighbour = _fit(seen)
    scores, seconds = _held_out_scores(seen), int(seen.last.max() - seen.first.min()) + 1
    threshold = _calibrate(seen, scores, budget_per_day)
    enough = threshold.units * threshold.alpha >= 1.0
    floor = 0.0 if enough else alert_floor(scores, seen.sessions, seconds, budget_per_day)
    known = set(vocabulary.templates)
    return SessionModel(
        vocabulary,
        neighbour,
        threshold,
        floor,
        {template: service for template, service in writers.items() if template in known},
        {template: text for template, text in texts.items() if template in known},
        str(table["pattern"][0].as_py()),
    )


def _calibrate(seen: Seen, scores: Vector, budget_per_day: float) -> ConformalThreshold:
    """Return the threshold on what is alarmed on, see calibration.py: several abnormal sessions of a window.

    Of all services together: that there are more of them than in any one service errs on the safe side.
    """
    rows = zip(seen.last.tolist(), scores.tolist(), seen.sessions.tolist(), strict=True)
    held_out = [
        ScoredLine(DETECTOR, POOLED, bucket_of(datetime.fromtimestamp(last, UTC)), score, sessions)
        for last, score, sessions in rows
    ]
    return calibrate(held_out, budget_per_day)[DETECTOR]


def read_sessions(table: pa.Table) -> Seen:
    """Return the sessions of SESSION_SCHEMA rows, of many the last ones with no more than MAX_SHAPES shapes."""
    columns = table.sort_by([(name, "ascending") for name in ("last", "first", "shape")]).combine_chunks()
    shapes = columns["shape"].combine_chunks().dictionary_encode()
    first, last, sessions = (columns[name].to_numpy() for name in ("first", "last", "sessions"))
    codes = shapes.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    seen = Seen(first, last, codes, sessions, shapes.dictionary.to_pylist())
    _, newest = np.unique(codes[::-1], return_index=True)
    if len(newest) <= MAX_SHAPES:
        return seen
    return seen.where(np.arange(len(codes)) >= len(codes) - np.sort(newest)[MAX_SHAPES])


def whole_sessions(seen: Seen) -> Seen:
    """Return the sessions that neither end of normal time can have cut.

    A session that began before normal time did ends within its length from the start of it. As few are longer than
    CUT_SHARE of all are, few of those that are cut stay.
    """
    if len(seen.last) == 0:
        return seen
    lengths = np.repeat(seen.last - seen.first, seen.sessions)
    longest = float(np.quantile(lengths, CUT_SHARE, method="higher"))
    begin, end = int(seen.first.min()), int(seen.last.max())
    return seen.where((seen.last > begin + longest) & (seen.first < end - longest))


def _fit(seen: Seen) -> tuple[SessionVocabulary, CountNeighbour]:
    times = np.bincount(seen.shape, weights=seen.sessions, minlength=len(seen.texts)).astype(np.int64)
    used = np.flatnonzero(times)
    shapes = [read_shape(seen.texts[code]) for code in used.tolist()]
    vocabulary = _vocabulary(shapes, times[used])
    return vocabulary, CountNeighbour().fit(count_matrix(vocabulary, shapes), times[used])


def _vocabulary(shapes: Sequence[Mapping[str, int]], times: Ints) -> SessionVocabulary:
    """Return the templates by how many sessions had them, then by name; steps are not learned."""
    templates: Counter[str] = Counter()
    for shape, sessions in zip(shapes, times.tolist(), strict=True):
        templates.update(dict.fromkeys(shape, sessions))
    known = sorted(templates, key=lambda template: (-templates[template], template))[:MAX_KNOWN]
    return SessionVocabulary(tuple(known), (), min(MAX_TEMPLATES, len(known)), 0)


def _held_out_scores(seen: Seen) -> Vector:
    """Return the score of each row by what the other folds teach, float32 [n].

    A weight is at most the square root of the sessions learned from: scores from fewer are brought to those from all.
    """
    total = seen.sessions.sum()
    folds = np.minimum((seen.sessions.cumsum() - seen.sessions) * FOLDS // total, FOLDS - 1)
    scores = np.zeros(len(folds), np.float32)
    for fold in range(FOLDS):
        mine, others = folds == fold, seen.where(folds != fold)
        vocabulary, neighbour = _fit(others)
        distinct, place = np.unique(seen.shape[mine], return_inverse=True)
        found = neighbour.score(count_matrix(vocabulary, [read_shape(seen.texts[code]) for code in distinct.tolist()]))
        scores[mine] = found[place] * math.sqrt(total / others.sessions.sum())
    return scores


def alert_floor(scores: Vector, sessions: Ints, seconds: float, budget_per_day: float) -> float:
    """Return the score that sessions of normal time exceed so seldom that alerts keep to the budget.

    An alert needs ALERT_LINES abnormal sessions within ALERT_WINDOW_SECONDS. Odd but harmless ones come independently:
    at a rate r each begins such a group with P(ALERT_LINES - 1 more within the window), of a Poisson distribution. To
    what score r falls as it must is told by the tail: scores are sums of deviations in units of normal spread, which
    exceed s with a probability that falls as 1 / s^2 at least (Chebyshev's inequality). Then k s_k^2 is the same for
    the k-th highest of all k; the (lower) median of these is not moved by one session that resembles nothing, which
    by itself is no alert. As few odd sessions tell little, they are taken to be as many as they may be at 95 %
    confidence.
    """
    from scipy.stats import chi2

    odd = np.sort(np.repeat(scores, sessions * (scores > 0)).astype(np.float64))[::-1]
    most = float(chi2.ppf(0.95, 2 * (len(odd) + 1))) / 2.0 / (len(odd) + 1)
    told = np.append(odd, 1.0)  # what was not seen: one session, a normal spread away
    level = float(np.quantile(np.arange(1, len(told) + 1) * told**2, 0.5, method="lower"))
    return math.sqrt(level * most / (_rate_within(budget_per_day) * seconds))


def _rate_within(budget_per_day: float) -> float:
    """Return the rate of abnormal sessions, per second, at which alerts come as often as the budget wants."""
    from scipy.optimize import brentq
    from scipy.stats import poisson

    def surplus(log_rate: float) -> float:
        rate = math.exp(log_rate)
        groups = SECONDS_PER_DAY * rate * float(poisson.sf(ALERT_LINES - 2, rate * ALERT_WINDOW_SECONDS))
        return math.log(max(groups, 1e-300)) - math.log(budget_per_day)

    return math.exp(float(brentq(surplus, -40.0, math.log(2.0 + budget_per_day))))
