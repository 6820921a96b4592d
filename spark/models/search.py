"""The search for parameters: Optuna proposes in batches, somebody runs them, the registry keeps every trial."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from faultline.config import Paths, TrainConfig
from faultline.registry import Registry, Training
from faultline.settings import read_float, read_int
from spark.models.detectors import detector_named
from spark.models.detectors.nearest import NearestTemplate
from spark.models.parameters import Parameters

if TYPE_CHECKING:
    import optuna

logger = logging.getLogger(__name__)
JOB: Final = "tune"
OBJECTIVE: Final = "f1"
Run = Callable[[Sequence[Parameters]], Sequence[Mapping[str, float]]]


@dataclass(frozen=True)
class TuneConfig:
    """Settings of the job tune."""

    labelled: Path  # Parquet of test_labeled_parquet
    examples: Path  # what trials read
    storage: Path  # Optuna's database: a search that was interrupted goes on
    best: Path  # the parameters found, for FAULTLINE_PARAMETERS
    models: Path
    trials: int
    at_once: int
    detectors: tuple[str, ...]
    per_10_000: float  # budget of false alarms that every trial keeps to

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read FAULTLINE_TUNE_*; raises ConfigError."""
        paths = Paths.from_env(environ)
        detectors = environ.get("FAULTLINE_TUNE_DETECTORS", NearestTemplate.name).split(",")
        for name in detectors:
            detector_named(name)
        return cls(
            labelled=Path(environ.get("FAULTLINE_LABELLED", str(paths.datasets / "labelled"))),
            examples=paths.datasets / "tune.parquet",
            storage=paths.mlflow / "optuna.db",
            best=paths.home / "tune" / "parameters.json",
            models=TrainConfig.from_env(environ).models,
            trials=read_int(environ, "FAULTLINE_TUNE_TRIALS", 20, 1),
            at_once=read_int(environ, "FAULTLINE_TUNE_AT_ONCE", 2, 1),
            detectors=tuple(detectors),
            per_10_000=read_float(environ, "FAULTLINE_TUNE_FALSE_PER_10000", 20.0, 0.01),
        )


def search(config: TuneConfig, registry: Registry, fingerprint: str, run: Run) -> Parameters:
    """Run trials until there are `config.trials`, those of an earlier start included; write and return the best.

    `run` gets some points and returns the metrics of each, in their order. A study belongs to one set of data, one
    choice of detectors and one budget: another one begins anew. Every trial is a child run of experiment `tune`.
    """
    study = _open_study(config, fingerprint)
    settings: dict[str, str | float] = {"detectors": ",".join(config.detectors), "false_per_10000": config.per_10_000}
    parent = registry.log_run(Training(JOB, settings, {}, {"data_fingerprint": fingerprint, "study": study.study_name}))
    while (left := config.trials - _done(study)) > 0:
        trials = [study.ask() for _ in range(min(left, config.at_once))]
        points = [_propose(trial, config.detectors) for trial in trials]
        for trial, point, metrics in zip(trials, points, run(points), strict=True):
            study.tell(trial, metrics[OBJECTIVE])
            registry.log_run(Training(JOB, _plain(point), metrics, {"trial": str(trial.number)}), parent)
            logger.info("trial", extra={"trial": trial.number, **_plain(point), **metrics})
    best = Parameters(**study.best_params)
    best.write(config.best)
    logger.info("best parameters", extra={**_plain(best), OBJECTIVE: study.best_value, "path": str(config.best)})
    return best


def _open_study(config: TuneConfig, fingerprint: str) -> optuna.Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    config.storage.parent.mkdir(parents=True, exist_ok=True)
    name = f"{fingerprint[:12]}-{'-'.join(config.detectors)}-{config.per_10_000:g}"
    study = optuna.create_study(
        storage=f"sqlite:///{config.storage}",
        study_name=name,
        direction="maximize",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=0),
    )
    for trial in study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)  # of a search that was killed
    return study


def _done(study: optuna.Study) -> int:
    from optuna.trial import TrialState

    return len(study.get_trials(deepcopy=False, states=[TrialState.COMPLETE]))


def _propose(trial: optuna.Trial, detectors: Sequence[str]) -> Parameters:
    return Parameters(
        calibration_fraction=trial.suggest_float("calibration_fraction", 0.1, 0.6),
        similarity=trial.suggest_float("similarity", 0.3, 0.8),
        min_values=trial.suggest_int("min_values", 2, 20),
        detector=str(trial.suggest_categorical("detector", list(detectors))),
    )


def _plain(point: Parameters) -> dict[str, Any]:
    return {name: getattr(point, name) for name in point.__struct_fields__}
