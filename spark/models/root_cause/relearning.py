"""Learn the ranker's weights from verdicts: a challenger in the registry, champion only if it is not worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from faultline.config import TrainConfig
from faultline.errors import TrainingDataError
from faultline.feedback import Feedback, Verdict, effective
from faultline.registry import Registry, Training
from spark.models.release import FINGERPRINT, publish_challenger
from spark.models.root_cause.challenge import MIN_INCIDENTS, Challenge, challenge, usable
from spark.models.root_cause.model import RootCauseModel
from spark.models.root_cause.ranker import LabelledCandidates, Ranker
from spark.models.root_cause.situation import Candidates

JOB: Final = "root_cause_learn"  # names the experiment


@dataclass(frozen=True)
class Relearned:
    """What came of it."""

    folder: Path
    challenge: Challenge


def labelled(verdicts: Sequence[Feedback]) -> list[LabelledCandidates]:
    """Return the incidents that verdicts name a cause of, in order of the verdicts."""
    told = sorted(effective(list(verdicts)).values(), key=lambda verdict: (verdict.at, verdict.feedback_id))
    return [
        LabelledCandidates(Candidates.of(verdict.candidates), frozenset({verdict.cause}))
        for verdict in told
        if verdict.verdict is Verdict.TRUE and verdict.cause and verdict.candidates.names
    ]


def taught(verdicts: Sequence[Feedback]) -> list[LabelledCandidates]:
    """Return the incidents that a training from scratch may learn weights from: none where they would make them worse.

    Judged as `challenge` does, against the weights that were delivered.
    """
    incidents = labelled(verdicts)
    if len(incidents) < MIN_INCIDENTS or not usable(incidents):
        return []
    return incidents if challenge(incidents, Ranker.delivered()).wins else []


def relearn(verdicts: Sequence[Feedback], config: TrainConfig, registry: Registry) -> Relearned:
    """Register a model with weights learned from verdicts as challenger; it becomes champion when it is not worse.

    Raises TrainingDataError when verdicts name fewer than MIN_INCIDENTS causes, ArtifactError for a champion without
    a root-cause part, RegistryUnavailable.
    """
    incidents, champion = labelled(verdicts), RootCauseModel.require(config.base)
    if len(incidents) < MIN_INCIDENTS:
        text = f"verdicts name the cause of {len(incidents)} incidents, expected at least {MIN_INCIDENTS}"
        raise TrainingDataError(f"{text}; ./run feedback ID true --cause NAME gives one")
    found = challenge(incidents, champion.ranker)

    def build(folder: Path) -> Training:
        champion.with_ranker(found.ranker).extend(config.base, folder, incidents=len(incidents))
        metrics = {name: float(value) for name, value in asdict(found).items() if isinstance(value, int | float)}
        return Training(JOB, {"base": config.base.resolve().name}, metrics, {FINGERPRINT: _fingerprint(verdicts)})

    return Relearned(publish_challenger(build, registry, config.models, config.alias, wins=found.wins), found)


def _fingerprint(verdicts: Sequence[Feedback]) -> str:
    return sha256("\n".join(sorted(verdict.feedback_id for verdict in verdicts)).encode()).hexdigest()[:16]
