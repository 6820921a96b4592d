"""Which model streams: the champion when it is good, and in every other case the one that streamed before."""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest
from prometheus_client import CollectorRegistry

from faultline.activations import LEAD, Activations
from faultline.artifact import CHAMPION, point, write_manifest
from faultline.config import StreamConfig
from faultline.errors import ArtifactError, FeaturesError, RegistryUnavailable
from faultline.metrics import StreamMetrics
from faultline.registry import ModelVersion, Registry, Training
from spark.champion import ChampionWatch
from spark.models.acceptance import accept
from spark.models.features import FEATURES_VERSION

Variant = Callable[..., Path]
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


class Scene:
    """A registry, a folder of models and a stream over them whose clock stands still."""

    def __init__(self, registry: Registry, variant: Variant, folder: Path, **settings: str) -> None:
        self.registry = registry
        self.made = folder / "made"
        self.made.mkdir()
        self._variant = variant
        self.now = NOON
        places = {"FAULTLINE_HOME": str(folder), "FAULTLINE_MODELS": str(folder / "models")}
        self.config = StreamConfig.from_env({**places, **settings})
        self.activations = Activations(self.config.activations, self.config.models)
        self.announced: list[str] = []

    def promote(self, note: str, **facts: Any) -> ModelVersion:
        """Train, register and promote a version on another machine."""
        folder = self._variant(self.made, note, **facts)
        version = self.registry.record_training(folder, Training("semantic_train", {}, {}, {}))
        self.registry.promote(version)
        return version

    def local(self, note: str, **facts: Any) -> Path:
        """Put a version into the folder of models; nobody registers it."""
        self.config.models.mkdir(exist_ok=True)
        return self._variant(self.config.models, note, **facts)

    def watch(self) -> ChampionWatch:
        """Return a watch as a start of the stream makes it."""
        self.metrics = CollectorRegistry()
        metrics = StreamMetrics(self.metrics)
        return ChampionWatch(self.config, self.registry, metrics, self._announce, clock=lambda: self.now)

    def _announce(self, manifest: Mapping[str, Any]) -> None:
        self.announced.append(manifest["version"])

    def rejected(self, reason: str) -> float | None:
        return self.metrics.get_sample_value("faultline_model_rejected_total", {"reason": reason})


def damage(version: ModelVersion) -> None:
    """Change a byte of what the registry keeps."""
    file = Path(unquote(urlparse(version.source).path)) / "minilm" / "nearest.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))


@pytest.fixture
def scene(registry: Registry, variant: Variant, tmp_path: Path) -> Scene:
    return Scene(registry, variant, tmp_path)


def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for an activation to come into force before it is announced."""
    monkeypatch.setattr("spark.champion.LEAD", timedelta(0))


def test_a_stream_starts_with_the_champion(scene: Scene) -> None:
    version = scene.promote("one")
    chosen = scene.watch().begin()
    assert isinstance(chosen, Activations)
    assert chosen.folder_at(NOON) == scene.config.models / version.content
    assert (scene.config.models / CHAMPION).resolve().name == version.content
    assert (scene.announced, scene.rejected("artifact")) == ([version.content], 0)


def test_a_restart_with_the_same_champion_writes_nothing(scene: Scene) -> None:
    scene.promote("one")
    scene.watch().begin()
    scene.now += timedelta(hours=1)
    scene.watch().begin()
    assert [entry.since for entry in scene.activations.entries()] == [NOON]


def test_a_new_champion_takes_over_a_little_later(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    first = scene.promote("one")
    watch = scene.watch()
    watch.begin()
    watch.look()
    second = scene.promote("two")
    scene.now += timedelta(minutes=1)
    watch.stop()  # what follows does not wait
    watch.look()
    took_over = scene.now + LEAD
    moments = (took_over - timedelta(microseconds=1), took_over)
    assert [scene.activations.version_at(moment) for moment in moments] == [first.content, second.content]
    assert scene.announced == [first.content, second.content]
    assert (scene.config.models / CHAMPION).resolve().name == second.content
    watch.look()
    assert len(scene.activations.entries()) == 2


def test_rollback_is_a_promotion_too(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once(monkeypatch)
    first = scene.promote("one")
    watch = scene.watch()
    watch.begin()
    second = scene.promote("two")
    watch.look()
    scene.registry.promote(first)
    watch.look()
    assert scene.announced == [first.content, second.content, first.content]


BAD: dict[str, tuple[str, str]] = {
    "altered": ("artifact", r"SHA-256 .{12}, expected .{12}: changed after training; train again"),
    "features": ("features", r"trained on features 1, expected \d+; train again with this version"),
    "no features": ("features", r"trained on features None, expected \d+"),
}


def promote_bad(scene: Scene, name: str) -> ModelVersion:
    if name == "altered":
        version = scene.promote("bad")
        damage(version)
        return version
    return scene.promote("bad", features=1 if name == "features" else None)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_champion_is_refused_once_and_the_old_one_goes_on(
    scene: Scene, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    reason, text = BAD[name]
    good = scene.promote("good")
    watch = scene.watch()
    watch.begin()
    promote_bad(scene, name)
    for _ in range(3):
        watch.look()
    assert (scene.announced, scene.activations.newest()) == ([good.content], good.content)
    assert scene.rejected(reason) == 1
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.getMessage().startswith("champion refused, the model in use goes on: ")
    assert re.search(text, record.getMessage())


@pytest.mark.parametrize("name", BAD)
def test_the_old_one_goes_on_over_a_restart_too(scene: Scene, name: str) -> None:
    good = scene.promote("good")
    scene.watch().begin()
    promote_bad(scene, name)
    scene.watch().begin()
    assert (scene.announced, scene.activations.newest()) == ([good.content] * 2, good.content)
    assert scene.rejected(BAD[name][0]) == 1


def test_the_first_champion_of_all_must_be_good(scene: Scene) -> None:
    promote_bad(scene, "features")
    with pytest.raises(FeaturesError, match=r"trained on features 1, expected \d+"):
        scene.watch().begin()


def test_without_a_model_the_command_is_named(scene: Scene) -> None:
    text = r"no model is champion in sqlite:///.*, expected one; \./run train learns one"
    with pytest.raises(ArtifactError, match=text):
        scene.watch().begin()


def test_a_model_that_cannot_be_loaded_is_refused(scene: Scene) -> None:
    folder = scene.local("odd")
    state = json.loads((folder / "model.json").read_text())
    del state["templates"]
    broken = scene.made / "broken"
    shutil.copytree(folder, broken)
    (broken / "model.json").write_text(json.dumps(state))
    write_manifest(broken, features=FEATURES_VERSION)
    with pytest.raises(ArtifactError, match=r"cannot be loaded \(KeyError\('templates'\)\), expected a model of this"):
        accept(broken)


def test_a_registry_that_does_not_answer_is_no_reason_to_stop(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    good = scene.promote("good")
    watch = scene.watch()
    watch.begin()
    scene.registry.uri = "http://127.0.0.1:9"
    for _ in range(3):
        watch.look()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "no answer of an MLflow server" in caplog.text
    scene.watch().begin()
    assert (scene.announced, scene.activations.newest()) == ([good.content] * 2, good.content)


def test_a_first_start_without_the_registry_takes_the_local_mirror(scene: Scene) -> None:
    folder = scene.local("one")
    point(scene.config.models, CHAMPION, folder.name)
    scene.registry.uri = "http://127.0.0.1:9"
    scene.watch().begin()
    assert scene.announced == [folder.name]


def test_without_registry_and_mirror_the_registry_is_named(scene: Scene) -> None:
    scene.registry.uri = "http://127.0.0.1:9"
    with pytest.raises(RegistryUnavailable, match="no answer of an MLflow server"):
        scene.watch().begin()


def test_a_registry_that_answers_again_is_followed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once(monkeypatch)
    scene.promote("one")
    watch = scene.watch()
    watch.begin()
    uri, scene.registry.uri = scene.registry.uri, "http://127.0.0.1:9"
    watch.look()
    scene.registry.uri = uri
    second = scene.promote("two")
    watch.look()
    assert scene.announced[-1] == second.content


def test_a_model_that_is_named_is_taken_and_the_registry_not_asked(
    registry: Registry, variant: Variant, tmp_path: Path
) -> None:
    folder = variant(tmp_path, "named")
    scene = Scene(registry, variant, tmp_path, FAULTLINE_MODEL=str(folder))
    scene.registry.uri = "http://127.0.0.1:9"
    watch = scene.watch()
    assert (watch.begin(), watch.models) == (folder, tmp_path)
    watch.start()
    assert (scene.announced, scene.activations.newest()) == ([folder.name], None)


def test_a_thread_follows_until_it_is_stopped(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once(monkeypatch)
    scene.config = replace(scene.config, champion_poll_seconds=0.01)
    scene.promote("one")
    watch = scene.watch()
    watch.begin()
    watch.start()
    second = scene.promote("two")
    until(lambda: scene.announced[-1], second.content)
    watch.stop()
    until(lambda: "champion" in {thread.name for thread in threading.enumerate()}, False)


def until(found: Callable[[], Any], expected: Any, seconds: float = 30.0) -> None:
    """Poll until a value is the expected one; show the last value when it does not come to it."""
    end = time.monotonic() + seconds
    while (last := found()) != expected and time.monotonic() < end:
        time.sleep(0.02)
    assert last == expected
