"""The model registry on a real MLflow store: what is recorded is found again, and what is damaged is refused."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from faultline.aliases import ModelVersion, read_version
from faultline.artifact import read_manifest, write_manifest
from faultline.errors import ArtifactError, ConfigError, RegistryUnavailable
from faultline.mlflow_client import connect
from faultline.registry import Registry, Training

TRAINING = Training("semantic_train", {"false_alarms_per_day": 1.0}, {"lines": 3.0}, {"data_fingerprint": "f00"})


def make_folder(folder: Path, text: str = "state") -> Path:
    (folder / "minilm").mkdir(parents=True)
    (folder / "model.json").write_text(text)
    (folder / "minilm" / "nearest").write_text("vectors")
    write_manifest(folder, detector="semantic")
    return folder


def record(registry: Registry, tmp_path: Path, text: str = "state") -> ModelVersion:
    return registry.record_training(make_folder(tmp_path / f"made-{text}", text), TRAINING)


def artifact(version: ModelVersion) -> Path:
    """Return where the embedded registry keeps the files of a version."""
    return Path(unquote(urlparse(version.source).path))


def test_a_training_is_kept_with_what_it_learned_from(registry: Registry, tmp_path: Path) -> None:
    version = record(registry, tmp_path)
    (listed,) = registry.versions()
    assert (listed.version, listed.aliases) == (version, ())
    assert listed.training.parameters == {"false_alarms_per_day": "1.0"}
    assert listed.training.metrics == {"lines": 3.0}
    assert listed.training.tags["data_fingerprint"] == "f00"
    assert read_manifest(artifact(version))["version"] == version.content


def test_nobody_is_champion_before_a_promotion(registry: Registry, tmp_path: Path) -> None:
    assert registry.champion() is None
    record(registry, tmp_path)
    assert registry.champion() is None


def test_a_registry_that_was_never_written_is_empty_and_stays_so(tmp_path: Path) -> None:
    registry = Registry(f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}")
    assert (registry.champion(), registry.versions()) == (None, [])
    assert list(tmp_path.iterdir()) == []


def test_promotion_goes_forth_and_back(registry: Registry, tmp_path: Path) -> None:
    first, second = record(registry, tmp_path), record(registry, tmp_path, "newer")
    for version in (first, second, first):
        registry.promote(version)
        assert registry.champion() == version
    registry.promote(second, "candidate")
    assert [(listed.version.number, listed.aliases) for listed in registry.versions()] == [
        (second.number, ("candidate",)),
        (first.number, ("champion",)),
    ]


def test_what_is_read_without_mlflow_is_what_mlflow_says(registry: Registry, tmp_path: Path) -> None:
    version = record(registry, tmp_path)
    registry.promote(version)
    said = connect(registry.uri).get_model_version_by_alias("faultline", "champion")
    expected = ModelVersion(int(said.version), said.tags["content_version"], str(said.source))
    assert read_version(registry.uri, "champion") == expected == version
    assert read_version(registry.uri, "challenger") is None


def test_a_version_is_fetched_once_and_checked(registry: Registry, tmp_path: Path) -> None:
    version = record(registry, tmp_path)
    folder = registry.fetch(version, tmp_path / "models")
    assert folder == tmp_path / "models" / version.content
    assert read_manifest(folder)["version"] == version.content
    shutil.rmtree(artifact(version))
    assert registry.fetch(version, tmp_path / "models") == folder


def test_a_local_copy_that_was_altered_is_fetched_again(registry: Registry, tmp_path: Path) -> None:
    version = record(registry, tmp_path)
    folder = registry.fetch(version, tmp_path / "models")
    (folder / "model.json").write_text("statE")
    assert read_manifest(registry.fetch(version, tmp_path / "models"))["version"] == version.content
    assert [path.name for path in (tmp_path / "models").iterdir()] == [version.content]


def test_a_version_that_was_altered_in_the_registry_is_refused(registry: Registry, tmp_path: Path) -> None:
    version = record(registry, tmp_path)
    (artifact(version) / "model.json").write_text("statE")
    with pytest.raises(ArtifactError, match=r"model\.json: SHA-256 .{12}, expected .{12}: changed after training"):
        registry.fetch(version, tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


def test_files_of_another_version_are_refused(registry: Registry, tmp_path: Path) -> None:
    first, second = record(registry, tmp_path), record(registry, tmp_path, "newer")
    mixed = ModelVersion(first.number, first.content, second.source)
    text = f"version {first.number}: its files are those of {second.content}, expected {first.content}; train again"
    with pytest.raises(ArtifactError, match=text):
        registry.fetch(mixed, tmp_path / "models")


@pytest.mark.parametrize("content", ["", "../../etc", "0123456789AB", "0123456789abc"])
def test_a_version_without_a_content_version_is_refused(registry: Registry, tmp_path: Path, content: str) -> None:
    with pytest.raises(ArtifactError, match=r"version 7: tag content_version is '.*', expected 12 hex digits"):
        registry.fetch(ModelVersion(7, content, "file:///x"), tmp_path)


def test_a_source_that_is_gone_is_named(registry: Registry, tmp_path: Path) -> None:
    version = record(registry, tmp_path)
    shutil.rmtree(artifact(version))
    with pytest.raises(ArtifactError, match=f"version {version.number}: .* is missing, expected a model; train again"):
        registry.fetch(version, tmp_path / "models")


def test_a_folder_that_is_not_whole_is_not_recorded(registry: Registry, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "made")
    (folder / "model.json").unlink()
    with pytest.raises(ArtifactError, match="is missing, the manifest lists it"):
        registry.record_training(folder, TRAINING)
    assert registry.versions() == []


def test_unknown_versions_are_told_which_exist(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^version is 3, expected a trained model; \./run train learns one$"):
        registry.find(3)
    version = record(registry, tmp_path)
    assert registry.find(version.number) == version
    with pytest.raises(ConfigError, match=rf"^version is 99, expected one of {version.number}$"):
        registry.find(99)


def test_runs_without_a_model_are_children_of_their_search(registry: Registry) -> None:
    parent = registry.log_run(Training("tune", {}, {"best": 0.5}, {}))
    child = registry.log_run(Training("tune", {"fraction": 0.3}, {"f1": 0.5}, {}), parent)
    run = connect(registry.uri).get_run(child)
    assert run.data.tags["mlflow.parentRunId"] == parent
    assert (run.data.params, run.data.metrics, run.info.status) == ({"fraction": "0.3"}, {"f1": 0.5}, "FINISHED")


def test_any_name_of_a_service_can_be_part_of_a_metric(registry: Registry) -> None:
    names = ("orders@eu", "a#b", "..", "", "a/../b", "größe", "*", "x" * 300)
    metrics = {f"bound/{name}": 1.0 for name in names} | {f"many/{number}": 0.0 for number in range(1200)}
    run = connect(registry.uri).get_run(registry.log_run(Training("tune", {"long": "x" * 7000}, metrics, {})))
    assert len(run.data.metrics) >= 1200
    assert {"bound/orders_eu", "bound/__", "bound/a/__/b"} <= run.data.metrics.keys()


def test_a_file_that_is_no_registry_is_named(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("not a database, but some text that is long enough to be none " * 20)
    registry = Registry(f"sqlite:///{tmp_path / 'mlflow.db'}")
    with pytest.raises(
        RegistryUnavailable, match=r"mlflow\.db: cannot read alias 'champion' \(file is not a database\)"
    ):
        registry.champion()
    with sqlite3.connect(tmp_path / "other.db") as base:
        base.execute("CREATE TABLE t (x)")
    with pytest.raises(RegistryUnavailable, match="no such table: registered_model_aliases"):
        read_version(f"sqlite:///{tmp_path / 'other.db'}", "champion")


def test_a_server_that_is_down_is_named() -> None:
    with pytest.raises(RegistryUnavailable, match=r"http://127\.0\.0\.1:9: no answer of an MLflow server"):
        Registry("http://127.0.0.1:9").champion()


@pytest.mark.parametrize("uri", ["mlruns", "file:///mlruns", "postgresql://x", "", "sqlite://mlflow.db"])
def test_another_kind_of_registry_is_refused(uri: str) -> None:
    with pytest.raises(ConfigError, match=r"^FAULTLINE_MLFLOW is '.*', expected sqlite:///PATH, http://HOST:PORT or"):
        Registry.from_env({"FAULTLINE_MLFLOW": uri})


def test_the_embedded_registry_lies_below_home(tmp_path: Path) -> None:
    assert Registry.from_env({"FAULTLINE_HOME": str(tmp_path)}).uri == f"sqlite:///{tmp_path}/mlflow/mlflow.db"
