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


@pytest.mark.parametrize("name", minilm.WEIGHT_FILES)
def test_the_hash_changes_with_weights_configuration_and_tokenizer(tmp_path: Path, name: str) -> None:
    for file in minilm.WEIGHT_FILES:
        (tmp_path / file).write_bytes(b"{}")
    before = minilm.encoder_hash(tmp_path)
    (tmp_path / name).write_bytes(b"[]")
    assert len(before) == 16
    assert minilm.encoder_hash(tmp_path) != before


BAD_CONFIGS = {
    "another architecture": ('{"model_type": "roberta"}', "model_type is 'roberta', expected 'bert'; use another enc"),
    "another activation": (
        '{"model_type": "bert", "hidden_act": "relu"}',
        "hidden_act is 'relu', expected 'gelu'; use",
    ),
    "relative positions": (
        '{"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "relative_key"}',
        "position_embedding_type is 'relative_key', expected 'absolute'; use another encoder",
    ),
    "nothing": ("{}", "model_type is None, expected 'bert'; use another encoder"),
    "a page instead of a file": ("<html>", r"not a JSON object \(.+\), expected an encoder's; fetch it again"),
    "a list": ("[1]", r"not a JSON object \(.+\), expected an encoder's; fetch it again"),
}


@pytest.mark.parametrize("name", BAD_CONFIGS)
def test_weights_of_another_architecture_are_refused(tmp_path: Path, name: str) -> None:
    config, text = BAD_CONFIGS[name]
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(ArtifactError, match=rf"config\.json: {text}"):
        minilm.build_encoder(tmp_path, tmp_path / "target")
    assert not (tmp_path / "target").exists()
