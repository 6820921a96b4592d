"""Releases of the watched services: what a commit changes in their source, as a file that a person can read."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
import yaml

from chaos.errors import ExperimentError
from faultline.config import REPOSITORY
from faultline.stack.programs import SERVICES

FOLDER: Final = REPOSITORY / "chaos" / "releases"
PACKAGE: Final = "demo"  # what the services are made of


class Edit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One place that changes: `old` is replaced by `new` in a file, named from the root of the repository."""

    file: str
    old: str
    new: str


class Release(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version of one service: the edits to the present source, and settings that come with them."""

    name: str = ""  # of the file, without .yaml
    service: str
    version: str
    message: str  # of the commit
    author: str
    edits: tuple[Edit, ...] = ()
    environment: Mapping[str, str] = msgspec.field(default_factory=dict)

    def folder(self, releases: Path) -> Path:
        """Return the folder that this version is built in."""
        return releases / f"{self.service}-{self.version}"


def load_release(name: str, folder: Path = FOLDER, source: Path = REPOSITORY) -> Release:
    """Return a release whose every edit applies to the present source; raises ExperimentError naming file and place."""
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in folder.glob("*.yaml")))
        raise ExperimentError(f"release {name!r} does not exist in {folder.name}, expected one of {known}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        release = msgspec.structs.replace(msgspec.convert(content, Release), name=name)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise ExperimentError(f"{path.name}: not a release: {error}") from error
    if release.service not in SERVICES:
        raise ExperimentError(f"{path.name}: service is {release.service!r}, expected one of {', '.join(SERVICES)}")
    changed_files(release, source)
    return release


def changed_files(release: Release, source: Path) -> dict[str, str]:
    """Return the text of each file after the edits; raises ExperimentError when one does not apply."""
    texts: dict[str, str] = {}
    for number, edit in enumerate(release.edits, start=1):
        place = f"{release.name}.yaml: edit {number} of {edit.file}"
        if not edit.old.strip():
            raise ExperimentError(f"{place}: its old text is empty, expected what it replaces")
        text = texts[edit.file] if edit.file in texts else _read(source, edit.file, place)
        found = text.count(edit.old)
        if found != 1:
            problem = f"{place}: {edit.old.strip().splitlines()[0]!r}... occurs {found} times, expected once"
            raise ExperimentError(f"{problem}; the source has changed: adapt the release")
        texts[edit.file] = text.replace(edit.old, edit.new)
    for file, text in texts.items():
        _check_syntax(release, file, text)
    return texts


def build(release: Release, folder: Path, source: Path = REPOSITORY) -> Path:
    """Write the package with the edits into `folder` and return the folder; what was built there before is replaced."""
    texts = changed_files(release, source)
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(source / PACKAGE, folder / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    return folder


def _read(source: Path, file: str, place: str) -> str:
    path = (source / file).resolve()
    if not path.is_relative_to((source / PACKAGE).resolve()) or not path.is_file():
        raise ExperimentError(f"{place}: no such file, expected one below {PACKAGE}/")
    return path.read_text(encoding="utf-8")


def _check_syntax(release: Release, file: str, text: str) -> None:
    try:
        ast.parse(text)
    except SyntaxError as error:
        raise ExperimentError(f"{release.name}.yaml: {file} is no Python after the edits: {error}") from error
