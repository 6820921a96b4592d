"""The ONNX graph says what sentence-transformers says; `vectors.json` was computed with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from faultline.config import REPOSITORY
from faultline.errors import ArtifactError
from spark.models import minilm
from spark.models.embedder import Embedder

GOLDEN = json.loads((REPOSITORY / "tests" / "golden" / "minilm" / "vectors.json").read_text())


@pytest.mark.parametrize("number", range(len(GOLDEN["texts"])))
def test_vectors_equal_those_of_sentence_transformers(encoder: Path, number: int) -> None:
    (vector,) = Embedder(encoder).embed([GOLDEN["texts"][number]])
    expected = np.array(GOLDEN["vectors"][number], np.float32)
    assert float(vector @ expected / np.linalg.norm(expected)) > 0.9999


def test_the_golden_texts_hold_an_empty_and_an_overlong_one() -> None:
    assert "" in GOLDEN["texts"]
    assert max(len(text.split()) for text in GOLDEN["texts"]) > 128


def test_the_hash_changes_with_weights_and_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "tokenizer.json").write_bytes(b"{}")
    before = minilm.encoder_hash(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(b"[]")
    assert len(before) == 16
    assert minilm.encoder_hash(tmp_path) != before


@pytest.mark.parametrize("config", [{"model_type": "roberta"}, {"model_type": "bert", "hidden_act": "relu"}, {}])
def test_weights_of_another_architecture_are_refused(tmp_path: Path, config: dict[str, str]) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ArtifactError, match="expected 'bert' with activation 'gelu'"):
        minilm.build_encoder(tmp_path, tmp_path / "target")
    assert not (tmp_path / "target").exists()
