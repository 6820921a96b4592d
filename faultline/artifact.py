"""Stored models: a folder of JSON, safetensors and ONNX with a manifest of SHA-256 sums, and pointers to folders.

A pointer is a symbolic link beside the folders, the local mirror of an alias of the registry: what needs to know
whether there is a champion, or which one, need not ask a server.
"""

from __future__ import annotations

import json
import os
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

from faultline.errors import ArtifactError

MANIFEST = "manifest.json"
CHAMPION = "champion"  # alias of the model that streams


def write_manifest(folder: Path, **facts: Any) -> str:
    """Write `manifest.json` over every file in the folder; return the version (12 hex digits of its content)."""
    files = {str(path.relative_to(folder)): _digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    files.pop(MANIFEST, None)
    version = _version(files)
    (folder / MANIFEST).write_text(json.dumps({"version": version, "files": files, **facts}, indent=2, sort_keys=True))
    return version


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest after checking every file against it; raises ArtifactError naming what is wrong."""
    path = folder / MANIFEST
    if not path.is_file():
        raise ArtifactError(f"{path} is missing, expected a trained model; ./run train learns one")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text())
        expected: dict[str, str] = dict(manifest["files"])
        if manifest["version"] != _version(expected):
            raise ValueError(f"version {manifest['version']!r} is not that of its files")
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path}: not a manifest ({error!r}); train again") from error
    for name, digest in expected.items():
        _check_file(folder, name, digest)
    return manifest


def _version(files: dict[str, str]) -> str:
    return sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:12]


def _check_file(folder: Path, name: str, digest: str) -> None:
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise ArtifactError(f"{folder}: manifest names {name!r}, expected files inside the folder; train again")
    if not file.is_file():
        raise ArtifactError(f"{file} is missing, the manifest lists it; train again")
    if _digest(file) != digest:
        raise ArtifactError(
            f"{file}: SHA-256 {_digest(file)[:12]}, expected {digest[:12]}: changed after training; train again"
        )


def publish(folder: Path, models: Path) -> Path:
    """Move a finished folder to `models/<version>` in one atomic step; return where it is.

    Raises ArtifactError when the folder is not whole. The same content that is there already is kept; a folder of
    that version which was altered since is replaced.
    """
    version: str = read_manifest(folder)["version"]
    target = models / version
    if target.exists() and not _is_whole(target):
        broken = models / f".broken-{version}-{os.getpid()}"
        target.rename(broken)
        shutil.rmtree(broken)
    if not target.exists():
        folder.rename(target)
    return target


def _is_whole(folder: Path) -> bool:
    try:
        read_manifest(folder)
    except ArtifactError:
        return False
    return True


def point(models: Path, alias: str, version: str) -> None:
    """Point `models/<alias>` at a version in one atomic step; the link is relative, so the whole folder may move."""
    pointer = models / f".{alias}-{os.getpid()}"
    pointer.unlink(missing_ok=True)  # left by a publisher that died; in containers the same id comes back
    pointer.symlink_to(version)
    pointer.replace(models / alias)


def _digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
