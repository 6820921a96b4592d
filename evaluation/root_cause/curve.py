"""What verdicts are worth: false alarms, lost detections and accuracy after so many of them.

An operator is simulated who gives a verdict on incidents in random order, some of them wrong. What was learned is
judged on the incidents without a verdict only.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from evaluation.root_cause.arms import Ours
from evaluation.root_cause.incidents import LabelledIncident
from evaluation.root_cause.recorded import Run
from evaluation.root_cause.replay import Replayed, replay
from faultline.errors import TrainingDataError
from faultline.feedback import CandidateTable, FalseAlarms, Feedback, Verdict
from faultline.statistics import Estimate, clustered_mean
from spark.models.root_cause.ranker import LabelledCandidates, Ranker

VERDICTS: Final = (0, 5, 10, 20, 50)
WRONG: Final = (0.0, 0.1)  # share of verdicts
SAME: Final = timedelta(seconds=30)  # between what an incident was and what verdicts have left of it
ROUNDS: Final = 10  # orders in which incidents are judged


@dataclass(frozen=True)
class Point:
    """What was measured after some verdicts; means over rounds."""

    verdicts: int
    wrong: float
    false_alarms_left: Estimate  # share of those without verdicts
    detections_kept: Estimate  # share of faults that still open an incident
    ac1: Estimate


def learning_curve(run: Run, incidents: Sequence[LabelledIncident], begin: Ranker, seed: int) -> list[Point]:
    """Return a point for each number of verdicts and each share of wrong ones; `begin`: before any verdict."""
    everything = replay(run)
    return [_point(run, everything, incidents, begin, count, wrong, seed) for wrong in WRONG for count in VERDICTS]


def _point(  # noqa: PLR0913, PLR0917 - what a point is of
    run: Run,
    everything: Sequence[Replayed],
    incidents: Sequence[LabelledIncident],
    begin: Ranker,
    count: int,
    wrong: float,
    seed: int,
) -> Point:
    left: list[float] = []
    kept: list[float] = []
    hits: list[float] = []
    for number in range(ROUNDS if count else 1):
        rng = random.Random(f"verdicts:{seed}:{number}")  # noqa: S311 - a simulation
        judged = rng.sample(list(everything), min(count, len(everything)))
        verdicts = list(_verdicts(judged, wrong, rng))
        alarms = FalseAlarms.of(verdicts)
        after = replay(run, alarms) if alarms.false else everything
        left += _false_alarms_left(everything, after, judged)
        kept += _detections_kept(everything, after)
        hits += list(_accuracy(incidents, judged, verdicts, begin, wrong, rng))
    return Point(count, wrong, *(clustered_mean(values, range(len(values)), seed) for values in (left, kept, hits)))


def _verdicts(judged: Sequence[Replayed], wrong: float, rng: random.Random) -> Iterator[Feedback]:
    for number, incident in enumerate(judged):
        says_true = incident.is_true != (rng.random() < wrong)
        yield Feedback(
            at=incident.opened_at + timedelta(minutes=1),
            candidates=CandidateTable(),
            patterns=list(incident.patterns),
            cause="",
            feedback_id=f"f{number}",
            incident_id=incident.incident_id,
            note="",
            undoes="",
            verdict=Verdict.TRUE if says_true else Verdict.FALSE,
            who="simulated",
        )


def _false_alarms_left(
    before: Sequence[Replayed], after: Sequence[Replayed], judged: Sequence[Replayed]
) -> list[float]:
    """Return for every false alarm without a verdict whether one is still opened then: 1 or 0."""
    still = [incident for incident in after if not incident.is_true]
    asked = [incident for incident in before if not incident.is_true and incident not in judged]
    return [float(any(abs(i.opened_at - one.opened_at) <= SAME for i in still)) for one in asked]


def _detections_kept(before: Sequence[Replayed], after: Sequence[Replayed]) -> list[float]:
    faults = sorted({incident.fault for incident in before if incident.fault is not None})
    still = {incident.fault for incident in after}
    return [float(fault in still) for fault in faults]


def _accuracy(  # noqa: PLR0913, PLR0917 - what it depends on
    incidents: Sequence[LabelledIncident],
    judged: Sequence[Replayed],
    verdicts: Sequence[Feedback],
    begin: Ranker,
    wrong: float,
    rng: random.Random,
) -> Iterator[float]:
    """Yield whether each incident without a verdict is ranked right by what the verdicts taught of other kinds."""
    true = {verdict.incident_id for verdict in verdicts if verdict.verdict is Verdict.TRUE}
    faults = {incident.fault for incident in judged if incident.incident_id in true}
    taught = {incident.name: incident for incident in incidents if int(incident.name.split()[-1]) in faults}
    labels = {name: _said(incident, wrong, rng) for name, incident in taught.items()}
    for incident in incidents:
        if incident.name not in taught:
            others = [labels[name] for name, other in taught.items() if other.kind != incident.kind]
            order = Ours(_fit(begin, others)).rank(incident)
            yield float(bool(order) and order[0] in incident.causes)


def _said(incident: LabelledIncident, wrong: float, rng: random.Random) -> LabelledCandidates:
    """Return the incident with the cause that the operator names: now and then just any candidate."""
    names = incident.candidates.names
    if names and rng.random() < wrong:
        return LabelledCandidates(incident.candidates, frozenset({rng.choice(names)}))
    return incident.labelled


def _fit(begin: Ranker, labelled: Sequence[LabelledCandidates]) -> Ranker:
    try:
        return begin.fit(labelled) if labelled else begin
    except TrainingDataError:
        return begin
