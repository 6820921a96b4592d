"""Whether new weights are better than those in use: on incidents that they were not learned from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from spark.models.root_cause.ranker import LabelledCandidates, Ranker

MIN_INCIDENTS: Final = 5  # with a known cause; fewer show nothing
_LEAST: Final = 1e-6  # probability of a cause that is not among the candidates


@dataclass(frozen=True)
class Challenge:
    """New weights, and how they and the champion's did: `surprise` is the mean of -ln p(cause), less is better."""

    ranker: Ranker
    incidents: int
    surprise: float
    champion_surprise: float
    first: float  # share of incidents whose cause came first
    champion_first: float

    @property
    def wins(self) -> bool:
        """True when the new weights are not worse, by what they give the cause and by how often it comes first."""
        enough = self.incidents >= MIN_INCIDENTS
        return enough and self.surprise <= self.champion_surprise and self.first >= self.champion_first


def challenge(incidents: Sequence[LabelledCandidates], champion: Ranker) -> Challenge:
    """Learn from all incidents; judge by weights learned without those of the same cause (leave one cause out).

    The champion is judged as it is, though it may have seen some of the incidents: that favours what is in use.
    Raises TrainingDataError when no incident has its cause among its candidates.
    """
    causes = sorted({min(incident.causes) for incident in incidents})
    judged: list[tuple[Ranker, LabelledCandidates]] = []
    for cause in causes:
        others = [incident for incident in incidents if min(incident.causes) != cause]
        learned = Ranker.delivered().fit(others) if usable(others) else Ranker.delivered()
        judged += [(learned, incident) for incident in incidents if min(incident.causes) == cause]
    return Challenge(
        Ranker.delivered().fit(incidents),
        len(incidents),
        _mean([_surprise(*case) for case in judged]),
        _mean([_surprise(champion, incident) for _, incident in judged]),
        _mean([_is_first(*case) for case in judged]),
        _mean([_is_first(champion, incident) for _, incident in judged]),
    )


def usable(incidents: Sequence[LabelledCandidates]) -> bool:
    """Return whether any incident has its cause among its candidates."""
    return any(not incident.causes.isdisjoint(incident.candidates.names) for incident in incidents)


def _surprise(ranker: Ranker, incident: LabelledCandidates) -> float:
    p = ranker.probabilities(incident.candidates)
    found = sum(float(p[i]) for i, name in enumerate(incident.candidates.names) if name in incident.causes)
    return -math.log(max(found, _LEAST))


def _is_first(ranker: Ranker, incident: LabelledCandidates) -> float:
    order = ranker.order(incident.candidates)
    return float(bool(order) and incident.candidates.names[order[0]] in incident.causes)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
