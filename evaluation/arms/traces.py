"""What a service did for each request: sessions by trace id inside a window."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from evaluation.arms.arm import Arm, Family
from evaluation.arms.structured import FEWEST, WINDOWS, count_columns
from evaluation.corpus import Units
from spark.models.base import Vector
from spark.models.detectors.count_neighbour import CountNeighbour
from spark.models.sessions import SessionVocabulary

Requests = dict[str, list[tuple[int, list[str]]]]  # service -> (row of its window, templates of one request)


class RequestScorer:
    """Distance of each request's templates to the nearest normal request of the service; a window has their mean.

    The mean, and not the highest, was chosen on TrainTicket's faults 1-15, its part for building.
    """

    def __init__(self, value: Callable[[Vector], npt.NDArray[np.float32]]) -> None:
        self._value = value
        self._by_service: dict[str, tuple[SessionVocabulary, CountNeighbour]] = {}

    def fit(self, normal: Units) -> Self:
        """Learn the requests of each service's normal windows."""
        for service, requests in _requests(normal).items():
            own = [templates for _, templates in requests]
            if len(own) >= FEWEST:
                vocabulary = SessionVocabulary.fit(own, max_steps=0)
                x = count_columns(vocabulary, own)
                self._by_service[service] = vocabulary, CountNeighbour().fit(x, np.ones(len(own), np.int64))
        return self

    def score(self, units: Units) -> Vector:
        """Return float32 [n]; 0 for a window without requests, or of a service normal time did not have."""
        total = np.zeros(len(units), np.float64)
        requests_of = np.zeros(len(units), np.int64)
        for service, requests in _requests(units).items():
            if service in self._by_service:
                vocabulary, detector = self._by_service[service]
                rows = np.array([row for row, _ in requests], np.int64)
                scores = detector.score(count_columns(vocabulary, [templates for _, templates in requests]))
                np.add.at(total, rows, self._value(scores))
                np.add.at(requests_of, rows, 1)
        return np.asarray(total / np.maximum(requests_of, 1), np.float32)


def _requests(units: Units) -> Requests:
    events, space = units.corpus.labelled.events, units.space
    found: dict[str, dict[tuple[int, str], list[str]]] = defaultdict(lambda: defaultdict(list))
    for row, (unit, service) in enumerate(zip(units.index.tolist(), units.groups, strict=True)):
        lines = units.corpus.lines_of(unit)
        for line, code in zip(lines.tolist(), space.template_of(lines).tolist(), strict=True):
            found[service][row, events[line].trace_id].append(space.templates[code])
    return {service: [(row, t) for (row, _), t in requests.items()] for service, requests in found.items()}


def _distance(scores: Vector) -> npt.NDArray[np.float32]:
    return scores


def _is_unseen(scores: Vector) -> npt.NDArray[np.float32]:
    return (scores > 0).astype(np.float32)


ARMS: Final = (
    Arm(
        "window_requests",
        Family.STRUCTURED,
        "mean distance of a minute's requests to normal requests of the service",
        lambda: RequestScorer(_distance),
        WINDOWS,
    ),
    Arm(
        "window_paths",
        Family.STRUCTURED,
        "share of a minute's requests whose counts of templates no normal request had",
        lambda: RequestScorer(_is_unseen),
        WINDOWS,
    ),
)
