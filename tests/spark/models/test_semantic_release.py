"""Publishing a model: facts in the manifest, and the old champion stays when training fails."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from faultline.artifact import CHAMPION, read_manifest
from faultline.config import TrainConfig
from faultline.errors import ArtifactError, TrainingDataError
from faultline.registry import Registry
from spark.models.counting import COUNT_SCHEMA
from spark.models.semantic import SemanticModel
from spark.models.semantic_release import release
from spark.models.semantic_training import CountedLine

Normal = Callable[..., list[CountedLine]]


def table_of(lines: list[CountedLine], rejected: int = 0) -> pa.Table:
    rows = [{"reason": None, **vars(line)} for line in lines]
    rows += [{"reason": "not_json", "lines": rejected}] if rejected else []
    return pa.Table.from_pylist(rows, COUNT_SCHEMA)


@pytest.fixture
def models(encoder: Path, tmp_path: Path) -> Path:
    """An empty models folder that has the encoder already."""
    (tmp_path / "encoder").symlink_to(encoder.parent)
    return tmp_path


@pytest.fixture
def config(models: Path) -> TrainConfig:
    return TrainConfig.from_env({"FAULTLINE_MODELS": str(models)})


def test_a_released_model_is_champion_and_says_what_it_learned_from(
    models: Path, normal: Normal, config: TrainConfig, registry: Registry
) -> None:
    lines = normal()
    folder = release(table_of(lines, rejected=7), config, registry)
    manifest = read_manifest(models / CHAMPION)
    assert (models / CHAMPION).resolve() == folder
    assert (manifest["services"], manifest["rejected"], manifest["templates"]) == (["orders"], 7, 5)
    assert manifest["lines"] == sum(line.lines for line in lines)
    assert datetime.fromisoformat(manifest["trained_at"]).tzinfo == UTC
    assert sorted(manifest["held_out_windows"]) == ["*", "app_container_log"]
    assert SemanticModel.load(models / CHAMPION).version == folder.name


def test_the_same_data_gives_the_same_version(
    models: Path, normal: Normal, config: TrainConfig, registry: Registry
) -> None:
    assert release(table_of(normal()), config, registry) == release(table_of(normal()[::-1]), config, registry)


def test_too_little_data_leaves_the_champion_in_place(
    models: Path, normal: Normal, config: TrainConfig, registry: Registry
) -> None:
    folder = release(table_of(normal()), config, registry)
    with pytest.raises(TrainingDataError, match="no lines to learn from"):
        release(table_of([], rejected=5), config, registry)
    assert (models / CHAMPION).resolve() == folder
    assert [path.name for path in models.iterdir() if path.name.startswith(".")] == []


def test_an_encoder_without_weights_is_refused_before_training(
    models: Path, normal: Normal, registry: Registry
) -> None:
    config = TrainConfig.from_env({"FAULTLINE_MODELS": str(models), "FAULTLINE_ENCODER": "all-MiniLM-L12-v2"})
    with pytest.raises(ArtifactError, match=r"encoder 'all-MiniLM-L12-v2': no config\.json"):
        release(table_of(normal()), config, registry)
    assert not (models / CHAMPION).exists()


def test_the_version_is_registered_with_what_it_was_learned_with(
    normal: Normal, config: TrainConfig, registry: Registry
) -> None:
    folder = release(table_of(normal()), config, registry)
    champion = registry.champion()
    assert champion is not None
    assert champion.content == folder.name
