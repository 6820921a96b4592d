"""`./run models` and `./run promote`: what is there, and which version streams."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from faultline.aliases import ModelVersion
from faultline.artifact import CHAMPION, write_manifest
from faultline.cli import main
from faultline.model_list import table
from faultline.registry import ListedVersion, Registry, Training


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FAULTLINE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def ours(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The registry that the verbs use."""
    monkeypatch.setenv("FAULTLINE_MLFLOW", registry.uri)
    return registry


def record(registry: Registry, tmp_path: Path, text: str) -> ModelVersion:
    folder = tmp_path / text
    folder.mkdir()
    (folder / "model.json").write_text(text)
    write_manifest(folder)
    return registry.record_training(folder, Training("semantic_train", {}, {"lines": 3.0}, {}))


def test_without_a_model_the_command_is_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    assert capsys.readouterr().out == "no model yet: ./run train learns one\n"
    assert main(["promote", "1"]) == 1
    assert capsys.readouterr().err == "error: version is 1, expected a trained model; ./run train learns one\n"
    assert not home.exists()


def test_a_version_is_promoted_and_its_folder_is_there(
    ours: Registry, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = record(ours, tmp_path, "one"), record(ours, tmp_path, "two")
    ours.promote(second)
    assert main(["promote", str(first.number)]) == 0
    assert capsys.readouterr().out == f"version {first.number} ({first.content}) is champion\n"
    assert ours.champion() == first
    assert (home / "models" / CHAMPION / "model.json").read_text() == "one"


def test_a_damaged_version_is_not_promoted(
    ours: Registry, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = record(ours, tmp_path, "one"), record(ours, tmp_path, "two")
    ours.promote(first)
    (Path(unquote(urlparse(second.source).path)) / "model.json").write_text("twO")
    assert main(["promote", str(second.number)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: version {second.number}: {second.source}/model.json: SHA-256 ")
    assert error.endswith("changed after training; train again\n")
    assert ours.champion() == first
    assert not (home / "models" / CHAMPION).exists()


def test_the_list_is_aligned_and_leaves_out_what_is_not_known() -> None:
    version = ModelVersion(12, "0123456789ab", "file:///x")
    metrics = {"lines": 9814.0, "templates": 57.0, "false_alerts_per_day_at_most": 1.25}
    known = Training("", {}, metrics, {"trained_at": "2026-01-02T12:00:00+00:00"})
    rows = [
        ListedVersion(version, ("candidate", "champion"), known),
        ListedVersion(version, (), Training("", {}, {}, {})),
    ]
    heads, first, second = table(rows).splitlines()
    assert heads.split("  ")[0] == "VERSION"
    assert first.index("candidate, champion") == heads.index("ALIAS")
    assert first.split()[-3:] == ["9814", "57", "1.25"]
    assert second.split() == ["12", "0123456789ab"]
