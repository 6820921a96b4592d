"""Encoders by name and by folder: a small BERT of 12 layers goes the whole way, held to a forward pass in numpy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import load_file, save_file
from scipy.special import erf, softmax
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from faultline.errors import ArtifactError
from spark.models import encoders, minilm
from spark.models.embedder import Embedder, ensure_encoder
from spark.models.encoders import DEFAULT_ENCODER, ENCODERS, weights_folder

Floats = npt.NDArray[Any]
L12 = "all-MiniLM-L12-v2"
WIDTH, HEADS, LAYERS, INNER = 24, 3, 12, 48
WORDS = ("[PAD]", "[UNK]", "error", "order", "placed", "payment", "refused")
TEXTS = ["error payment refused", "order placed", "nothing known here at all", "order"]


def write_weights(folder: Path, layers: int = LAYERS) -> Path:
    """Write random weights, so large that every part of the graph shows, and a tokenizer of seven words."""
    rng = np.random.default_rng(12)
    shapes = {
        "embeddings.word_embeddings.weight": (len(WORDS), WIDTH),
        "embeddings.position_embeddings.weight": (128, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
        **layer_norm("embeddings.LayerNorm"),
    }
    for layer in range(layers):
        name = f"encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            shapes |= linear(f"{name}.attention.self.{part}", WIDTH, WIDTH)
        shapes |= linear(f"{name}.attention.output.dense", WIDTH, WIDTH)
        shapes |= linear(f"{name}.intermediate.dense", WIDTH, INNER) | linear(f"{name}.output.dense", INNER, WIDTH)
        shapes |= layer_norm(f"{name}.attention.output.LayerNorm") | layer_norm(f"{name}.output.LayerNorm")
    folder.mkdir(parents=True)
    weights = {name: rng.normal(0.0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    for name in weights:  # gains around 1, small shifts: else the layers drown the words, and all texts are one vector
        weights[name] *= np.float32(1.0 if name.endswith("weight") else 0.1)
        weights[name] += np.float32(1.0 if name.endswith("LayerNorm.weight") else 0.0)
    save_file(weights, folder / "model.safetensors")
    config = {"model_type": "bert", "hidden_act": "gelu", "num_hidden_layers": layers, "hidden_size": WIDTH}
    config |= {"num_attention_heads": HEADS, "layer_norm_eps": 1e-12}
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token=WORDS[1]))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def linear(name: str, width: int, into: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (into, width), f"{name}.bias": (into,)}


def layer_norm(name: str) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (WIDTH,), f"{name}.bias": (WIDTH,)}


class NumpyBert:
    """BERT's forward pass for one text, after the paper: no batch, no padding."""

    def __init__(self, folder: Path) -> None:
        self.w = {name: array.astype(np.float64) for name, array in load_file(folder / "model.safetensors").items()}

    def embed(self, text: str) -> Floats:
        ids = [WORDS.index(word) if word in WORDS else 1 for word in text.split()]
        x = self.w["embeddings.word_embeddings.weight"][ids]
        x = x + self.w["embeddings.position_embeddings.weight"][: len(ids)]
        x = self.norm(x + self.w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(LAYERS):
            x = self.layer(x, f"encoder.layer.{layer}")
        mean = x.mean(axis=0)
        return np.asarray(mean / np.linalg.norm(mean))

    def dense(self, x: Floats, name: str) -> Floats:
        return np.asarray(x @ self.w[f"{name}.weight"].T + self.w[f"{name}.bias"])

    def norm(self, x: Floats, name: str) -> Floats:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        return np.asarray(scaled * self.w[f"{name}.weight"] + self.w[f"{name}.bias"])

    def layer(self, x: Floats, name: str) -> Floats:
        query, key, value = (
            self.dense(x, f"{name}.attention.self.{part}").reshape(len(x), HEADS, -1)
            for part in ("query", "key", "value")
        )
        shares = softmax(np.einsum("qhd,khd->hqk", query, key) / np.sqrt(WIDTH / HEADS), axis=-1)
        mixed = np.einsum("hqk,khd->qhd", shares, value).reshape(x.shape)
        x = self.norm(x + self.dense(mixed, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm")
        inner = self.dense(x, f"{name}.intermediate.dense")
        gelu = inner * (1 + erf(inner / np.sqrt(2))) / 2
        return self.norm(x + self.dense(gelu, f"{name}.output.dense"), f"{name}.output.LayerNorm")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "tiny")


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names stand for encoders of width 384; ours is narrower."""
    monkeypatch.setattr(encoders, "WIDTH", WIDTH)


def test_twelve_layers_say_what_a_forward_pass_in_numpy_says(weights: Path, tmp_path: Path) -> None:
    folder, version = ensure_encoder(tmp_path, str(weights))
    assert folder == tmp_path / version
    expected = np.array([NumpyBert(weights).embed(text) for text in TEXTS])
    x = Embedder(folder).embed(TEXTS)  # one batch, padded
    np.testing.assert_allclose(x, expected, atol=1e-5)
    assert np.abs(expected[0] - expected[1]).max() > 0.1  # the texts do differ
    assert Embedder(folder).embed([]).shape == (0, WIDTH)


@pytest.mark.usefixtures("narrow")
def test_a_name_is_found_beside_the_encoders(weights: Path, tmp_path: Path) -> None:
    shutil.copytree(weights, tmp_path / L12)
    assert ensure_encoder(tmp_path, L12) == (tmp_path / minilm.encoder_hash(weights), minilm.encoder_hash(weights))


def test_the_default_comes_with_its_package(tmp_path: Path) -> None:
    folder = weights_folder(DEFAULT_ENCODER, tmp_path)
    assert minilm.read_config(folder)["num_hidden_layers"] == ENCODERS[DEFAULT_ENCODER] == 6


def test_weights_that_must_be_fetched_say_from_where(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError) as caught:
        weights_folder(L12, tmp_path)
    assert str(caught.value) == (
        f"encoder '{L12}': no config.json, model.safetensors, tokenizer.json in {tmp_path / L12}, "
        f"expected config.json, model.safetensors and tokenizer.json; "
        f"fetch them once from https://huggingface.co/sentence-transformers/{L12}"
    )


@pytest.mark.parametrize("missing", minilm.WEIGHT_FILES)
def test_a_file_missing_in_a_folder_is_named(weights: Path, tmp_path: Path, missing: str) -> None:
    shutil.copytree(weights, tmp_path / "own")
    (tmp_path / "own" / missing).unlink()
    with pytest.raises(ArtifactError, match=rf"no {missing} in .+own, expected .+; or name one of {DEFAULT_ENCODER}, "):
        weights_folder(str(tmp_path / "own"), tmp_path)


@pytest.mark.usefixtures("narrow")
def test_other_weights_under_a_known_name_are_refused(tmp_path: Path) -> None:
    write_weights(tmp_path / L12, layers=2)
    with pytest.raises(
        ArtifactError, match=r"config\.json: 2 layers of width 24, expected 12 of width 24; these are ano"
    ):
        weights_folder(L12, tmp_path)


def test_weights_with_a_layer_missing_are_refused(weights: Path, tmp_path: Path) -> None:
    shutil.copytree(weights, tmp_path / "own")
    config = json.loads((weights / "config.json").read_text()) | {"num_hidden_layers": 13}
    (tmp_path / "own" / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        ArtifactError, match=r"no 'encoder\.layer\.12\..+', expected the weights config\.json describes"
    ):
        ensure_encoder(tmp_path, str(tmp_path / "own"))


def test_each_encoder_has_its_own_hash(weights: Path, tmp_path: Path) -> None:
    other = write_weights(tmp_path / "other", layers=2)
    assert minilm.encoder_hash(other) != minilm.encoder_hash(weights)
