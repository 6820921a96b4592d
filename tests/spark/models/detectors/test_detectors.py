"""Detectors are found by being there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from faultline.errors import ConfigError
from spark.models import detectors
from spark.models.detectors import all_detectors, detector_named

FOLDER = Path(str(detectors.__file__)).parent


def test_every_file_brings_its_detector() -> None:
    assert {kind.__module__.rsplit(".", 1)[1] for kind in all_detectors()} == {
        path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__"
    }


def test_names_are_sorted_and_unique() -> None:
    names = [kind.name for kind in all_detectors()]
    assert names == sorted(set(names))
    assert set(names) >= {"autoencoder", "count_neighbour", "mahalanobis", "nearest", "robust"}


def test_a_name_gives_its_class() -> None:
    assert all(detector_named(kind.name) is kind for kind in all_detectors())


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(ConfigError) as caught:
        detector_named("magic")
    assert str(caught.value).startswith("detector is 'magic', expected one of autoencoder, count_neighbour, ")


def test_a_new_file_is_found_and_what_it_imports_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "from spark.models.detectors.nearest import NearestTemplate"
    (tmp_path / "loudest.py").write_text(f"{source}\nclass Loudest(NearestTemplate):\n    name = 'loudest'\n")
    monkeypatch.setattr(detectors, "__path__", [str(tmp_path), *detectors.__path__])
    monkeypatch.delitem(sys.modules, "spark.models.detectors.loudest", raising=False)
    assert [kind.__name__ for kind in all_detectors() if kind.name in ("loudest", "nearest")] == [
        "Loudest",
        "NearestTemplate",
    ]
    sys.modules.pop("spark.models.detectors.loudest")
