"""Stored models: what was changed, lost or smuggled in after training is found before it is used."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faultline.artifact import CHAMPION, MANIFEST, point, publish, read_manifest, write_manifest
from faultline.errors import ArtifactError


def make_folder(folder: Path, text: str = "state") -> Path:
    (folder / "minilm").mkdir(parents=True)
    (folder / "model.json").write_text(text)
    (folder / "minilm" / "nearest").write_text("vectors")
    write_manifest(folder, detector="semantic")
    return folder


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_manifest_lists_every_file_and_its_version_is_one_of_content(tmp_path: Path) -> None:
    a, b = make_folder(tmp_path / "a"), make_folder(tmp_path / "b")
    other = make_folder(tmp_path / "c", "other state")
    assert sorted(read_manifest(a)["files"]) == ["minilm/nearest", "model.json"]
    assert read_manifest(a)["version"] == read_manifest(b)["version"] != read_manifest(other)["version"]
    assert read_manifest(a)["detector"] == "semantic"


def test_writing_the_manifest_again_changes_nothing(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "a")
    before = (folder / MANIFEST).read_bytes()
    write_manifest(folder, detector="semantic")
    assert (folder / MANIFEST).read_bytes() == before


def test_no_model_is_an_error_that_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError) as caught:
        read_manifest(tmp_path)
    assert str(caught.value) == f"{tmp_path / MANIFEST} is missing, expected a trained model; ./run train learns one"


def test_an_altered_file_is_named(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "a")
    (folder / "model.json").write_text("statE")
    with pytest.raises(ArtifactError, match=r"model\.json: SHA-256 .{12}, expected .{12}: changed after training"):
        read_manifest(folder)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "a")
    (folder / "minilm" / "nearest").unlink()
    with pytest.raises(ArtifactError, match="minilm/nearest is missing, the manifest lists it; train again"):
        read_manifest(folder)


@pytest.mark.parametrize("text", ["", "not json", "[]", "{}", '{"files": []}', '{"files": 5, "version": ""}', "\udcff"])
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    folder = make_folder(tmp_path / "a")
    (folder / MANIFEST).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ArtifactError, match=r"manifest\.json: not a manifest \(.*\); train again"):
        read_manifest(folder)


@pytest.mark.parametrize("key", ["version", "files"])
def test_a_manifest_that_was_edited_is_refused(tmp_path: Path, key: str) -> None:
    folder = make_folder(tmp_path / "a")
    change_manifest(folder, lambda manifest: manifest.update({key: {"version": "0" * 12, "files": {}}[key]}))
    with pytest.raises(ArtifactError, match=r"version '.{12}' is not that of its files"):
        read_manifest(folder)


@pytest.mark.parametrize("way", ["relative", "absolute", "link"])
def test_a_manifest_that_leads_out_of_the_folder_is_refused(tmp_path: Path, way: str) -> None:
    folder, outside = tmp_path / "a", tmp_path / "secret"
    make_folder(folder)
    outside.write_text("secret")
    name = {"relative": "../secret", "absolute": str(outside), "link": "link"}[way]
    if way == "link":
        (folder / "link").symlink_to(outside)
        write_manifest(folder)
    else:
        _sign(folder, {name: "0" * 64})
    with pytest.raises(ArtifactError) as caught:
        read_manifest(folder)
    assert str(caught.value) == f"{folder}: manifest names {name!r}, expected files inside the folder; train again"


def _sign(folder: Path, files: dict[str, str]) -> None:
    """Write a manifest that is consistent with itself."""
    from faultline.artifact import _version

    (folder / MANIFEST).write_text(json.dumps({"version": _version(files), "files": files}))


def test_publishing_moves_the_folder(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "work")
    target = publish(folder, tmp_path)
    assert not folder.exists()
    assert read_manifest(target)["version"] == target.name


def test_publishing_the_same_content_twice_keeps_one(tmp_path: Path) -> None:
    first = publish(make_folder(tmp_path / "work"), tmp_path)
    again = publish(make_folder(tmp_path / "work"), tmp_path)
    assert again == first
    read_manifest(first)


def test_publishing_repairs_a_version_that_was_altered(tmp_path: Path) -> None:
    target = publish(make_folder(tmp_path / "work"), tmp_path)
    (target / "model.json").write_text("altered")
    assert publish(make_folder(tmp_path / "work"), tmp_path) == target
    assert read_manifest(target)["version"] == target.name
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_a_folder_that_is_not_whole_is_not_published(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "work", "newer")
    (folder / "model.json").unlink()
    with pytest.raises(ArtifactError, match="is missing"):
        publish(folder, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["work"]


def test_a_pointer_is_relative_and_moves_from_version_to_version(tmp_path: Path) -> None:
    old = publish(make_folder(tmp_path / "work"), tmp_path)
    new = publish(make_folder(tmp_path / "work", "newer"), tmp_path)
    for version in (old, new):
        point(tmp_path, CHAMPION, version.name)
        assert (tmp_path / CHAMPION).resolve() == version
        assert (tmp_path / CHAMPION).readlink() == Path(version.name)
    assert read_manifest(old)["version"] == old.name


def test_a_pointer_left_by_a_publisher_that_died_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / f".{CHAMPION}-{os.getpid()}").symlink_to("gone")
    point(tmp_path, CHAMPION, "there")
    assert (tmp_path / CHAMPION).readlink() == Path("there")
