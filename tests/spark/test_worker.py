from __future__ import annotations

import gc
import importlib
import sys
import zipfile
from pathlib import Path

import pytest

from spark.worker import forget_archives, freeze_heap


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An archive with a module, first on the import path."""
    path = tmp_path / "shipped.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("shipped_module.py", "value = 7")
    monkeypatch.setattr(sys, "path", [str(path), *sys.path])
    monkeypatch.setattr(sys, "path_importer_cache", dict(sys.path_importer_cache))
    monkeypatch.delitem(sys.modules, "shipped_module", raising=False)
    return str(path)


def test_an_archive_is_not_read_again(archive: str) -> None:
    assert importlib.import_module("shipped_module").value == 7
    forget_archives()
    assert archive not in sys.path
    assert archive not in sys.path_importer_cache


def test_folders_stay_and_what_was_imported_too(archive: str) -> None:
    folders = [entry for entry in sys.path if Path(entry).is_dir()]
    module = importlib.import_module("shipped_module")
    forget_archives()
    assert [entry for entry in sys.path if Path(entry).is_dir()] == folders
    assert importlib.import_module("shipped_module") is module


def test_what_a_model_loaded_is_not_collected_again() -> None:
    freeze_heap.cache_clear()
    try:
        freeze_heap("one")
        frozen = gc.get_freeze_count()
        assert frozen > 0
        kept = [[number] for number in range(100_000)]
        freeze_heap("one")
        assert gc.get_freeze_count() < frozen + len(kept) / 2
        freeze_heap("two")
        assert gc.get_freeze_count() > frozen + len(kept) / 2
    finally:
        gc.unfreeze()
        freeze_heap.cache_clear()
