"""Verdicts teach the ranker: a challenger always, a champion only when it is not worse."""

from __future__ import annotations

from pathlib import Path

import pytest

from faultline.artifact import point, publish
from faultline.config import TrainConfig
from faultline.errors import ArtifactError, TrainingDataError
from faultline.feedback import Feedback, Verdict
from faultline.registry import Registry
from spark.models.release import CHALLENGER
from spark.models.root_cause.challenge import MIN_INCIDENTS
from spark.models.root_cause.model import RootCauseModel
from spark.models.root_cause.ranker import LabelledCandidates, Ranker
from spark.models.root_cause.relearning import labelled, relearn, taught
from spark.models.root_cause.release import extend
from tests.faultline.test_feedback import verdict
from tests.spark.models.root_cause.test_challenge import MISLED
from tests.spark.models.root_cause.test_ranker import PAST
from tests.spark.models.root_cause.test_release import SEEN


def told(number: int, case: LabelledCandidates, cause: str | None = None, said: Verdict = Verdict.TRUE) -> Feedback:
    import msgspec

    given = verdict(number, f"incident {number}", said, patterns=[])
    name = min(case.causes) if cause is None else cause
    return msgspec.structs.replace(given, candidates=case.candidates.table(), cause=name)


TOLD = [told(number, case) for number, case in enumerate(PAST)]


@pytest.fixture
def config(model_folder: Path, tmp_path: Path) -> TrainConfig:
    """A champion whose ranker knows nothing right."""
    models = tmp_path / "models"
    models.mkdir()
    (models / "encoder").symlink_to(model_folder.parent / "encoder")
    work = tmp_path / "work"
    extend(model_folder, work, SEEN, [])
    part = RootCauseModel.load(work)
    assert part is not None
    (work / "manifest.json").unlink()
    part.with_ranker(MISLED).save(work)
    from faultline.artifact import write_manifest

    write_manifest(work, root_cause={"incidents": 0}, services=["orders"], lines=1, templates=1)
    folder = publish(work, models)
    point(models, "champion", folder.name)
    return TrainConfig.from_env({"FAULTLINE_HOME": str(tmp_path)})


def weights(config: TrainConfig) -> dict[str, float]:
    found = RootCauseModel.load(config.base)
    assert found is not None
    return found.ranker.weights


def test_training_from_scratch_learns_from_verdicts_unless_that_makes_it_worse() -> None:
    assert len(taught(TOLD)) == len(PAST)
    assert taught(TOLD[: MIN_INCIDENTS - 1]) == []
    assert taught([told(number, case, "nobody") for number, case in enumerate(PAST)]) == []
    at_odds = [told(number, PAST[0], PAST[0].candidates.names[number % 2]) for number in range(MIN_INCIDENTS + 1)]
    assert taught(at_odds) == []


@pytest.mark.slow
def test_weights_that_are_better_become_champion(config: TrainConfig, registry: Registry) -> None:
    found = relearn(TOLD, config, registry)
    assert found.challenge.wins
    assert weights(config) == pytest.approx(Ranker.delivered().fit(PAST).weights, abs=1e-4)
    challenger, champion = registry.version_of(CHALLENGER), registry.champion()
    assert challenger is not None
    assert challenger == champion


@pytest.mark.slow
def test_weights_that_are_worse_stay_challenger(config: TrainConfig, registry: Registry) -> None:
    relearn(TOLD * 1, config, registry)
    before = weights(config)
    found = relearn(TOLD[:6], config, registry)
    assert not found.challenge.wins
    assert weights(config) == before
    challenger, champion = registry.version_of(CHALLENGER), registry.champion()
    assert challenger != champion


def test_few_verdicts_are_said_so(config: TrainConfig, registry: Registry) -> None:
    with pytest.raises(TrainingDataError, match=r"cause of 2 incidents, expected at least 5; \./run feedback"):
        relearn(TOLD[:2], config, registry)


def test_champion_without_the_part_is_refused(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "models" / "champion").mkdir(parents=True)
    with pytest.raises(ArtifactError, match="no root-cause part"):
        relearn(TOLD, TrainConfig.from_env({"FAULTLINE_HOME": str(tmp_path)}), registry)


def test_only_true_verdicts_that_name_a_cause_teach() -> None:
    given = [
        told(1, PAST[0]),
        told(2, PAST[1], cause=""),
        told(3, PAST[2], said=Verdict.FALSE),
        verdict(4, "incident 1", Verdict.TRUE, undoes="f1", patterns=[]),
        told(5, PAST[2]),
    ]
    (found,) = labelled(given)
    assert found.causes == PAST[2].causes
    assert found.candidates.names == PAST[2].candidates.names
