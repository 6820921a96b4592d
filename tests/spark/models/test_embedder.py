"""Texts in, unit vectors out: a row depends on its text only."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from faultline.errors import ArtifactError
from spark.models.embedder import BATCH, Embedder, ensure_encoder

TEXTS = [
    "ERROR payments failed",
    "",
    "INFO order <NUM> placed for customer <NUM>",
    "word " * 400,
    "\x00\ufffd\U0001f600 漢字",
    "ERROR payments failed",
    "status=Bad-Gateway GET /cart",
]


@pytest.fixture(scope="module")
def embedder(encoder: Path) -> Embedder:
    return Embedder(encoder)


def test_vectors_have_length_one(embedder: Embedder) -> None:
    x = embedder.embed(TEXTS)
    assert (x.shape, x.dtype) == ((len(TEXTS), 384), np.float32)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1.0, atol=1e-5)


def test_a_batch_equals_row_by_row(embedder: Embedder) -> None:
    texts = [f"{text} number {'x' * i}" for i, text in enumerate(TEXTS * (BATCH // len(TEXTS) + 1))]
    rows = np.concatenate([embedder.embed([text]) for text in texts])
    np.testing.assert_allclose(embedder.embed(texts), rows, atol=1e-5)


def test_the_order_is_irrelevant(embedder: Embedder) -> None:
    np.testing.assert_allclose(embedder.embed(TEXTS[::-1]), embedder.embed(TEXTS)[::-1], atol=1e-5)


def test_nothing_in_nothing_out(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, 384)


def test_like_texts_are_nearer_than_unlike_ones(embedder: Embedder) -> None:
    a, b, c = embedder.embed(["payment declined", "charge was refused", "cache of articles renewed"])
    assert a @ b > a @ c


@pytest.mark.parametrize("missing", ["model.onnx", "tokenizer.json"])
def test_a_missing_file_is_named(encoder: Path, tmp_path: Path, missing: str) -> None:
    shutil.copytree(encoder, tmp_path / "encoder", copy_function=os.link)
    (tmp_path / "encoder" / missing).unlink()
    with pytest.raises(ArtifactError) as caught:
        Embedder(tmp_path / "encoder")
    assert str(caught.value) == (
        f"{tmp_path / 'encoder'}: no {missing}, expected an encoder written by build_encoder; train again"
    )


def test_an_encoder_that_is_there_is_not_built_again(encoder: Path) -> None:
    before = (encoder / "model.onnx").stat()
    assert ensure_encoder(encoder.parent) == (encoder, encoder.name)
    assert (encoder / "model.onnx").stat().st_mtime_ns == before.st_mtime_ns
