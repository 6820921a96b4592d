"""The model registry: every training with what it learned from, every version of the model, and who is champion.

MLflow keeps it: embedded (a SQLite file, artifacts beside it) or a server that FAULTLINE_MLFLOW names. An artifact
is a whole model folder; its manifest, not the registry, says whether it is intact.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import unquote, urlparse

from faultline import aliases
from faultline.aliases import CONTENT, MODEL, SQLITE, ModelVersion
from faultline.artifact import CHAMPION, publish, read_manifest
from faultline.config import Environ, registry_uri
from faultline.errors import ArtifactError, ConfigError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_FOLDER: Final = "model"  # of a run's artifacts
_METRICS_A_CALL: Final = 500  # MLflow takes 1,000 at a time; a model of many services has more
_PARAMETER_CHARS: Final = 6000  # MLflow's limits
_NAME_CHARS: Final = 250
_LISTED: Final = 50  # versions that ./run models shows at most, the newest


@dataclass(frozen=True)
class Training:
    """What is kept of one training beside the model."""

    job: str
    parameters: Mapping[str, str | float]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class ListedVersion:
    """A version as `./run models` shows it."""

    version: ModelVersion
    aliases: tuple[str, ...]
    training: Training


class Registry:
    """One registry; nothing is connected before the first call that needs it."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    @classmethod
    def from_env(cls, environ: Environ) -> Self:
        """Read FAULTLINE_MLFLOW, else the embedded registry below FAULTLINE_HOME; ConfigError for another scheme."""
        uri = registry_uri(environ)
        if not uri.startswith((SQLITE, "http://", "https://")):
            raise ConfigError("FAULTLINE_MLFLOW", uri, "sqlite:///PATH, http://HOST:PORT or https://HOST")
        return cls(uri)

    @cached_property
    def _client(self) -> MlflowClient:
        from faultline.mlflow_client import connect

        return connect(self.uri)

    def check(self) -> None:
        """Raise RegistryUnavailable when nothing can be written: better before an hour of training than after."""
        self._client  # noqa: B018 - connecting is the point

    def champion(self) -> ModelVersion | None:
        """Return the version that is to stream, None when none was promoted; cheap, see aliases.py."""
        return aliases.read_version(self.uri, CHAMPION)

    def version_of(self, alias: str) -> ModelVersion | None:
        """Return what an alias points at; raises RegistryUnavailable."""
        return aliases.read_version(self.uri, alias)

    def record_training(self, folder: Path, training: Training) -> ModelVersion:
        """Keep a training, its model folder included, and register it as the next version; no alias moves.

        Raises ArtifactError when the folder is not whole, RegistryUnavailable when it cannot be written.
        """
        from faultline.mlflow_client import faults_of

        content = read_manifest(folder)["version"]
        with faults_of(self.uri):
            run = self._begin_run(training)
            try:
                version = self._register(run, folder, content)
            except BaseException:
                self._client.set_terminated(run.info.run_id, "FAILED")
                raise
            self._client.set_terminated(run.info.run_id, "FINISHED")
        return version

    def log_run(self, training: Training, parent: str = "") -> str:
        """Keep a run without a model, a trial of a search for instance; return its id, which children name."""
        from faultline.mlflow_client import faults_of

        tags = {**training.tags, **({"mlflow.parentRunId": parent} if parent else {})}
        with faults_of(self.uri):
            run = self._begin_run(Training(training.job, training.parameters, training.metrics, tags))
            self._client.set_terminated(run.info.run_id, "FINISHED")
        return str(run.info.run_id)

    def _begin_run(self, training: Training) -> Run:
        from mlflow.entities import Metric, Param, RunTag

        run = self._client.create_run(self._experiment(training.job), tags={"mlflow.runName": training.job})
        now = run.info.start_time
        metrics = [Metric(name, value, now, 0) for name, value in _nameable(training.metrics).items()]
        for at in range(0, len(metrics), _METRICS_A_CALL):
            self._client.log_batch(run.info.run_id, metrics[at : at + _METRICS_A_CALL])
        parameters = [Param(name, str(value)[:_PARAMETER_CHARS]) for name, value in training.parameters.items()]
        self._client.log_batch(run.info.run_id, (), parameters, [RunTag(*tag) for tag in training.tags.items()])
        return run

    def _experiment(self, job: str) -> str:
        found = self._client.get_experiment_by_name(job)
        if found is not None:
            return str(found.experiment_id)
        embedded = self.uri.startswith(SQLITE)
        beside = (Path(self.uri.removeprefix(SQLITE)).parent / "artifacts").resolve().as_uri() if embedded else None
        return str(self._client.create_experiment(job, artifact_location=beside))

    def _register(self, run: Run, folder: Path, content: str) -> ModelVersion:
        self._client.log_artifacts(run.info.run_id, str(folder), _FOLDER)
        if not self._client.search_registered_models(f"name = '{MODEL}'"):
            self._client.create_registered_model(MODEL, description="Whole model folders of Faultline")
        source = f"{run.info.artifact_uri}/{_FOLDER}"
        made = self._client.create_model_version(MODEL, source, run.info.run_id, tags={CONTENT: content})
        return ModelVersion(int(made.version), content, source)

    def find(self, number: int) -> ModelVersion:
        """Return a version by its number; ConfigError names those that exist."""
        known = self.versions()
        for listed in known:
            if listed.version.number == number:
                return listed.version
        numbers = ", ".join(str(listed.version.number) for listed in known)
        raise ConfigError(
            "version", number, f"one of {numbers}" if known else "a trained model; ./run train learns one"
        )

    def promote(self, version: ModelVersion, alias: str = CHAMPION) -> None:
        """Let an alias point at a version; a running stream follows `champion` within seconds."""
        from faultline.mlflow_client import faults_of

        with faults_of(self.uri):
            self._client.set_registered_model_alias(MODEL, alias, str(version.number))

    def versions(self) -> list[ListedVersion]:
        """Return the newest versions first, with their aliases and what is known of their training."""
        if self.uri.startswith(SQLITE) and not Path(self.uri.removeprefix(SQLITE)).exists():
            return []  # nothing was ever registered, and asking would make a database
        from faultline.mlflow_client import faults_of

        with faults_of(self.uri):
            if not self._client.search_registered_models(f"name = '{MODEL}'"):
                return []
            named: dict[str, str] = self._client.get_registered_model(MODEL).aliases
            found = self._client.search_model_versions(
                f"name = '{MODEL}'", max_results=_LISTED, order_by=["version_number DESC"]
            )
            return [
                ListedVersion(
                    ModelVersion(int(row.version), row.tags.get(CONTENT, ""), str(row.source)),
                    tuple(sorted(alias for alias, number in named.items() if int(number) == int(row.version))),
                    self._training(str(row.run_id)),
                )
                for row in found
            ]

    def _training(self, run_id: str) -> Training:
        data = self._client.get_run(run_id).data
        return Training("", data.params, data.metrics, data.tags)

    def fetch(self, version: ModelVersion, models: Path) -> Path:
        """Return the folder of a version below `models`, which is checked; fetches it when it is not there whole.

        Raises ArtifactError when what the registry holds is not what was trained, RegistryUnavailable when it does
        not answer.
        """
        if not re.fullmatch(r"[0-9a-f]{12}", version.content):
            text = (
                f"version {version.number}: tag {CONTENT} is {version.content!r}, expected 12 hex digits; train again"
            )
            raise ArtifactError(text)
        try:
            read_manifest(models / version.content)
        except ArtifactError:
            return self._fetch_afresh(version, models)
        return models / version.content

    def _fetch_afresh(self, version: ModelVersion, models: Path) -> Path:
        models.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=models, prefix=".fetching-", ignore_cleanup_errors=True) as work:
            folder = self._download(version, Path(work))
            try:
                found = read_manifest(folder)["version"]
            except ArtifactError as error:
                text = str(error).replace(str(folder), version.source)  # the copy is gone when this is read
                raise ArtifactError(f"version {version.number}: {text}") from error
            if found != version.content:
                text = (
                    f"version {version.number}: its files are those of {found}, expected {version.content}; train again"
                )
                raise ArtifactError(text)
            return publish(folder, models)

    def _download(self, version: ModelVersion, work: Path) -> Path:
        if version.source.startswith("file:"):
            source = Path(unquote(urlparse(version.source).path))
            if not source.is_dir():
                raise ArtifactError(f"version {version.number}: {source} is missing, expected a model; train again")
            return Path(shutil.copytree(source, work / _FOLDER))
        from faultline.mlflow_client import faults_of

        with faults_of(self.uri):
            self.check()
            from mlflow.artifacts import download_artifacts

            found = download_artifacts(artifact_uri=version.source, dst_path=str(work), tracking_uri=self.uri)
        return Path(found)


def _nameable(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return metrics under names that MLflow takes: a service may be called anything.

    >>> _nameable({"bound/orders@eu": 1, "bound/../x": 2})
    {'bound/orders_eu': 1.0, 'bound/__/x': 2.0}
    """
    parts = {name: re.sub(r"[^\w. /-]", "_", name).replace("..", "__").split("/") for name in metrics}
    return {"/".join(part or "_" for part in parts[name])[:_NAME_CHARS]: float(metrics[name]) for name in metrics}
