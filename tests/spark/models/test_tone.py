"""Which way lines lean, with the real encoder; none of them was used to write the lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from faultline.errors import ArtifactError
from spark.models.embedder import Embedder
from spark.models.tone import FILE, ROUTINE, TROUBLE, Tone


@pytest.fixture(scope="module")
def embedder(encoder: Path) -> Embedder:
    return Embedder(encoder)


@pytest.fixture(scope="module")
def tone(embedder: Embedder) -> Tone:
    return Tone.of(embedder)


@pytest.mark.parametrize(
    ("routine", "trouble"),
    [
        ("INFO invoice <NUM> queued for printing", "INFO invoice <NUM> not printed: no printer answers"),
        ("INFO newsletter sent to <NUM> subscribers", "INFO newsletter skipped, mail server refuses <NUM> recipients"),
        ("INFO cache warmed with <NUM> entries", "INFO cache is empty, <NUM> entries lost"),
        ("INFO discount of <NUM> EUR applied to order <NUM>", "INFO discount of order <NUM> is negative, ignored"),
        ("INFO nightly export of <NUM> rows done", "INFO nightly export incomplete, <NUM> rows missing"),
    ],
)
def test_routine_and_trouble_lie_on_two_sides(embedder: Embedder, tone: Tone, routine: str, trouble: str) -> None:
    lean = tone.lean(embedder.embed([routine, trouble]))
    assert lean[0] < 0 < lean[1]


def test_every_sentence_of_trouble_lies_on_its_side(embedder: Embedder, tone: Tone) -> None:
    assert (tone.lean(embedder.embed(TROUBLE)) > 0).all()


def test_a_lean_depends_on_its_own_text(embedder: Embedder, tone: Tone) -> None:
    x = embedder.embed(["INFO a", "ERROR the disk is full"])
    assert np.allclose(tone.lean(x)[1:], tone.lean(x[1:]))


def test_saved_and_loaded_it_is_the_same(tone: Tone, embedder: Embedder, tmp_path: Path) -> None:
    tone.save(tmp_path)
    loaded = Tone.load(tmp_path)
    assert loaded is not None
    x = embedder.embed(ROUTINE)
    assert np.array_equal(loaded.lean(x), tone.lean(x))


def test_a_space_without_a_tone(tmp_path: Path) -> None:
    assert Tone.load(tmp_path) is None


def test_a_file_with_something_else(tmp_path: Path) -> None:
    save_file({"weights": np.zeros(3, np.float32)}, tmp_path / FILE)
    with pytest.raises(ArtifactError, match=r"holds \['weights'\], expected one vector named axis; train again"):
        Tone.load(tmp_path)
