"""A model of another machine gets its encoder here, or is refused before it streams."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from faultline.artifact import publish, write_manifest
from faultline.errors import ArtifactError, FeaturesError
from spark.models.acceptance import accept
from spark.models.features import FEATURES_VERSION

Variant = Callable[..., Path]


@pytest.fixture
def elsewhere(variant: Variant, tmp_path: Path) -> Callable[[Path], Path]:
    """A function that moves a good model to a folder of models without an encoder."""

    def move(models: Path) -> Path:
        (tmp_path / "made").mkdir()
        models.mkdir()
        return publish(variant(tmp_path / "made", "one"), models)

    return move


def test_a_good_model_is_accepted_with_its_manifest(variant: Variant, tmp_path: Path) -> None:
    folder = variant(tmp_path, "one")
    assert accept(folder)["version"] == folder.name


def test_the_encoder_of_another_machine_is_built_here(elsewhere: Callable[[Path], Path], tmp_path: Path) -> None:
    folder = elsewhere(tmp_path / "models")
    accept(folder)
    (encoder,) = (tmp_path / "models" / "encoder").iterdir()
    assert (encoder / "model.onnx").is_file()


def test_an_encoder_that_no_weights_here_make_is_named(elsewhere: Callable[[Path], Path], tmp_path: Path) -> None:
    folder = elsewhere(tmp_path / "models")
    state = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**state, "encoder": "0123456789abcdef"}))
    write_manifest(folder, features=FEATURES_VERSION)
    with pytest.raises(ArtifactError, match="needs encoder 0123456789abcdef, and no weights here make it; fetch those"):
        accept(folder)


@pytest.mark.parametrize("made", [None, FEATURES_VERSION - 1, FEATURES_VERSION + 1, str(FEATURES_VERSION)])
def test_a_model_of_other_features_is_refused(variant: Variant, tmp_path: Path, made: object) -> None:
    folder = variant(tmp_path, "one", features=made)
    with pytest.raises(FeaturesError, match=f"trained on features {made!r}, expected {FEATURES_VERSION}; train again"):
        accept(folder)


def test_a_model_whose_part_was_left_out_is_refused(variant: Variant, tmp_path: Path) -> None:
    folder = variant(tmp_path, "one")
    shutil.rmtree(folder / "minilm")
    write_manifest(folder, features=FEATURES_VERSION)
    with pytest.raises(ArtifactError, match=r"minilm/nearest\.safetensors is missing"):
        accept(folder)
