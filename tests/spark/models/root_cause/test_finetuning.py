"""What an encoder is fine-tuned on, and that it counts only when it is not worse; training itself needs torch."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from faultline.artifact import write_manifest
from faultline.config import REPOSITORY, TrainConfig
from faultline.errors import ArtifactError, ConfigError, TrainingDataError
from faultline.finetuning import ENVIRONMENT, trainer_command
from faultline.registry import Registry
from spark.models.encoders import DEFAULT_ENCODER, weights_folder
from spark.models.minilm import WEIGHT_FILES, build_encoder
from spark.models.release import CHALLENGER
from spark.models.root_cause import finetuning as subject
from spark.models.root_cause.finetuning import Pair, agreement, finetune, pairs_of, split
from spark.models.root_cause.flow import FlowProfile, Step
from spark.models.root_cause.model import RootCauseModel
from spark.models.root_cause.naming import TemplateNames
from spark.models.root_cause.usual import Usual
from tests.faultline.catalog.test_entities import entity
from tests.spark.models.root_cause.test_model import WAITS
from tests.spark.models.root_cause.test_relearning import config  # noqa: F401 - a fixture

CATALOG = {name: replace(entity(name), description=f"Keeps the {name}") for name in ("orders", "payments", "ledger")}


def flow(**lines: Sequence[str]) -> FlowProfile:
    return FlowProfile.fit([Counter({Step(name, "^", line): 20 for name, found in lines.items() for line in found})])


def test_pairs_are_known_lines_with_what_the_catalog_says_of_their_service() -> None:
    names = {"t1": "order <NUM> placed", "t2": "card rejected"}
    found = pairs_of(flow(orders=["t1", "new"], payments=["t2"], stranger=["t1"]), names, CATALOG)
    assert found == [
        Pair("order <NUM> placed", CATALOG["orders"].text),
        Pair("card rejected", CATALOG["payments"].text),
    ]


def test_held_out_lines_are_the_same_every_time_and_none_is_learned_from() -> None:
    pairs = [Pair(f"line {number}", "text") for number in range(400)]
    learned, held_out = split(pairs)
    assert (learned, held_out) == split(pairs)
    assert sorted([*learned, *held_out], key=lambda pair: pair.line) == sorted(pairs, key=lambda pair: pair.line)
    assert 60 < len(held_out) < 140


def test_agreement_is_the_reciprocal_rank_of_a_lines_own_text() -> None:
    axes = {"a": [1.0, 0.0], "b": [0.0, 1.0], "near a": [1.0, 0.1], "near b": [0.9, 1.0]}

    def embed(texts: Sequence[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return np.array([axes[text] for text in texts], np.float32)

    assert agreement(embed, [Pair("near a", "a"), Pair("near b", "b")], ["a", "b"]) == 1.0
    assert agreement(embed, [Pair("near a", "b"), Pair("near b", "b")], ["a", "b"]) == 0.75
    assert agreement(embed, [], ["a", "b"]) == 0.0


@pytest.fixture
def champion(config: TrainConfig, model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> TrainConfig:  # noqa: F811
    """A champion of two services that write every other template each."""
    monkeypatch.setattr(subject, "MIN_PAIRS", 2)
    monkeypatch.setattr(subject, "split", lambda pairs: ([*pairs[:2], pairs[3]], [pairs[2], pairs[4]]))
    part, ids = RootCauseModel.load(config.base), sorted(TemplateNames.load(model_folder).texts)
    assert part is not None
    folder = config.base.resolve()
    (folder / "manifest.json").unlink()
    replace(part, usual=Usual(flow(orders=ids[::2], payments=ids[1::2]), WAITS)).save(folder)
    write_manifest(folder, root_cause={"incidents": 0}, services=["orders"], lines=1, templates=1)
    return config


def copy(base: Path, pairs: Path, out: Path) -> None:
    assert {"line", "about"} == set(json.loads(pairs.read_text())[0])
    out.mkdir()
    for name in WEIGHT_FILES:
        shutil.copy(base / name, out)


def spoil(base: Path, pairs: Path, out: Path) -> None:
    copy(base, pairs, out)
    weights = load_file(out / "model.safetensors")
    rng = np.random.default_rng(7)
    noise = {name: rng.normal(0, 0.1, value.shape).astype(value.dtype) for name, value in weights.items()}
    save_file(noise, out / "model.safetensors")


@pytest.mark.slow
def test_encoder_that_is_not_worse_becomes_the_champions(champion: TrainConfig, registry: Registry) -> None:
    found = finetune(champion, CATALOG, registry, copy)
    assert (found.wins, found.after) == (True, found.before)
    part = RootCauseModel.load(champion.base)
    assert part is not None
    assert part.encoder == found.encoder
    assert (champion.models / "encoder" / part.encoder / "model.onnx").is_file()
    assert registry.champion() == registry.version_of(CHALLENGER)


@pytest.mark.slow
def test_encoder_that_is_worse_stays_challenger(
    champion: TrainConfig, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.9, 0.5])
    monkeypatch.setattr(subject, "agreement", lambda *_: next(scores))
    found = finetune(champion, CATALOG, registry, spoil)
    assert not found.wins
    part = RootCauseModel.load(champion.base)
    assert part is not None
    assert part.encoder == ""
    assert registry.version_of(CHALLENGER) is not None
    assert registry.champion() is None


def test_catalog_that_does_not_know_the_services_is_refused(champion: TrainConfig, registry: Registry) -> None:
    with pytest.raises(TrainingDataError, match=r"0 lines of services in the catalog.*FAULTLINE_CATALOG"):
        finetune(champion, {"ledger": CATALOG["ledger"]}, registry, copy)


def test_too_few_lines_to_judge_by_are_refused(
    champion: TrainConfig, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "split", lambda pairs: (pairs, []))
    with pytest.raises(TrainingDataError, match="0 of 5 lines held out"):
        finetune(champion, CATALOG, registry, copy)


def test_champion_without_a_root_cause_part_is_refused(champion: TrainConfig, registry: Registry) -> None:
    shutil.rmtree(champion.base.resolve() / "root_cause")
    with pytest.raises(ArtifactError, match=r"no root-cause part; \./run train adds one"):
        finetune(champion, CATALOG, registry, copy)


def test_missing_environment_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faultline.finetuning.REPOSITORY", tmp_path)
    with pytest.raises(ConfigError, match=r"\./run finetune makes it"):
        trainer_command(tmp_path, tmp_path, tmp_path, {})


@pytest.mark.slow
def test_trainer_writes_weights_that_the_encoder_is_built_from(tmp_path: Path) -> None:
    if not (REPOSITORY / ENVIRONMENT).exists():
        pytest.skip(f"{ENVIRONMENT} (torch, 6 GB) is not there; ./run finetune makes it")
    pairs = [{"line": f"card {n} rejected", "about": "Charges cards"} for n in range(2)]
    pairs += [{"line": f"stock of {n} is low", "about": "Counts stock"} for n in range(2)]
    (tmp_path / "pairs.json").write_text(json.dumps(pairs))
    base = weights_folder(DEFAULT_ENCODER, tmp_path)
    command, environment = trainer_command(base, tmp_path / "pairs.json", tmp_path / "out", {"PATH": "/usr/bin:/bin"})
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert build_encoder(tmp_path / "out", tmp_path / "encoder") != build_encoder(base, tmp_path / "base")
