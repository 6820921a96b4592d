"""A model that learned numbers and sessions, too: published and registered with what was measured of each part."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pytest

from faultline.artifact import publish
from faultline.config import TrainConfig
from faultline.registry import Registry
from spark.models.counting import SESSION_SCHEMA, facts_batch
from spark.models.features import Fact
from spark.models.session_model import SessionModel
from spark.models.structured import StructuredModel
from spark.models.structured_release import extend, release, writers

START = 1_700_000_000


def facts() -> pa.Table:
    rng = random.Random(0)
    counts = ((START + second, rng.randint(8, 12)) for second in range(120))
    found = [
        Fact("orders", second, name, float(n), float(n), n)
        for second, n in counts
        for name in ("lines:app_container_log", "template:ab")
    ]
    return pa.Table.from_batches([facts_batch([*found, Fact("nginx", START, "template:ab", 1.0, 1.0, 1)])])


def sessions(pattern: str = "") -> pa.Table:
    seen = [(START + second, START + second, "ab*1", pattern, 3) for second in range(120)]
    return pa.Table.from_pylist([dict(zip(SESSION_SCHEMA.names, row, strict=True)) for row in seen], SESSION_SCHEMA)


@pytest.fixture
def base(model_folder: Path, tmp_path: Path) -> Path:
    """The trained semantic model below a folder of models of the test's own."""
    (tmp_path / "encoder").symlink_to(model_folder.parent / "encoder")
    (tmp_path / "champion").symlink_to(model_folder)
    return tmp_path


def test_a_release_has_all_parts_and_their_numbers(base: Path, registry: Registry) -> None:
    config = TrainConfig.from_env({"FAULTLINE_MODELS": str(base), "FAULTLINE_FALSE_ALARMS_PER_DAY": "3"})
    folder = release(facts(), config, registry, sessions("(?P<key>k)"))
    found = SessionModel.load(folder)
    assert found is not None
    assert (found.pattern, found.writers, found.folder) == ("(?P<key>k)", {"ab": "orders"}, folder.name)
    assert StructuredModel.load(folder) is not None
    champion = registry.champion()
    assert champion is not None
    assert champion.content == folder.name


def test_without_sessions_the_model_has_no_session_part(base: Path) -> None:
    (base / "work").mkdir()
    manifest = extend(base / "champion", facts(), base / "work", 1.0)
    assert "sessions" not in manifest
    assert SessionModel.load(base / "work") is None


def test_a_new_part_takes_the_place_of_the_old_one(base: Path) -> None:
    (base / "first").mkdir()
    (base / "second").mkdir()
    extend(base / "champion", facts(), base / "first", 1.0, sessions("(?P<key>old)"))
    extend(publish(base / "first", base), facts(), base / "second", 1.0, sessions("(?P<key>new)"))
    found = SessionModel.load(base / "second")
    assert found is not None
    assert found.pattern == "(?P<key>new)"


def test_a_template_belongs_to_the_service_that_writes_it_most() -> None:
    assert writers(facts()) == {"ab": "orders"}
