"""Publishing a model: facts in the manifest, and the old champion stays when training fails."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from faultline.errors import TrainingDataError
from spark.models.artifact import CHAMPION, read_manifest
from spark.models.counting import COUNT_SCHEMA
from spark.models.semantic import SemanticModel
from spark.models.semantic_release import release
from spark.models.semantic_training import Budget, CountedLine

Normal = Callable[..., list[CountedLine]]
BUDGET = Budget(1.0, 0.3)


def table_of(lines: list[CountedLine], rejected: int = 0) -> pa.Table:
    rows = [{"reason": None, **vars(line)} for line in lines]
    rows += [{"reason": "not_json", "lines": rejected}] if rejected else []
    return pa.Table.from_pylist(rows, COUNT_SCHEMA)


@pytest.fixture
def models(encoder: Path, tmp_path: Path) -> Path:
    """An empty models folder that has the encoder already."""
    (tmp_path / "encoder").symlink_to(encoder.parent)
    return tmp_path


def test_a_released_model_is_champion_and_says_what_it_learned_from(models: Path, normal: Normal) -> None:
    lines = normal()
    folder = release(table_of(lines, rejected=7), models, BUDGET)
    manifest = read_manifest(models / CHAMPION)
    assert (models / CHAMPION).resolve() == folder
    assert (manifest["services"], manifest["rejected"], manifest["templates"]) == (["orders"], 7, 5)
    assert manifest["lines"] == sum(line.lines for line in lines)
    assert datetime.fromisoformat(manifest["trained_at"]).tzinfo == UTC
    assert sorted(manifest["held_out_windows"]) == ["*", "app_container_log"]
    assert SemanticModel.load(models / CHAMPION).version == folder.name


def test_the_same_data_gives_the_same_version(models: Path, normal: Normal) -> None:
    assert release(table_of(normal()), models, BUDGET) == release(table_of(normal()[::-1]), models, BUDGET)


def test_too_little_data_leaves_the_champion_in_place(models: Path, normal: Normal) -> None:
    folder = release(table_of(normal()), models, BUDGET)
    with pytest.raises(TrainingDataError, match="no lines to learn from"):
        release(table_of([], rejected=5), models, BUDGET)
    assert (models / CHAMPION).resolve() == folder
    assert [path.name for path in models.iterdir() if path.name.startswith(".")] == []
