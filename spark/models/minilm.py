"""MiniLM as an ONNX graph, put together from the published safetensors weights without torch.

The encoder is BERT (Devlin et al. 2019, doi 10.18653/v1/N19-1423) with 6 or 12 layers of width 384 and 12 heads as in
MiniLM (Wang et al. 2020, arXiv 2002.10957); pooling is the mean over tokens and the result has length 1, as in
sentence-transformers' all-MiniLM-L6-v2 and L12-v2. `tests/spark/models/test_minilm.py` holds the former to vectors
that sentence-transformers computed, and 12 layers to a forward pass written with numpy.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from faultline.errors import ArtifactError

OPSET = 20
GRAPH_VERSION = 1  # part of the hash: embeddings of another graph are not comparable
WEIGHT_FILES = ("config.json", "model.safetensors", "tokenizer.json")
Weights = dict[str, npt.NDArray[Any]]


def build_encoder(folder: Path, target: Path) -> str:
    """Write `model.onnx` and `tokenizer.json` to `target` from the weights in `folder`; return the model hash.

    About 3 s and 90 MB with 6 layers. Raises ArtifactError when the weights are not those of a BERT encoder.
    """
    config = read_config(folder)
    graph = _Graph(load_file(folder / "model.safetensors"), config)
    try:
        model = helper.make_model(graph.encoder(), opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    except KeyError as error:
        raise ArtifactError(
            f"{folder / 'model.safetensors'}: no {error}, expected the weights config.json describes; fetch both again"
        ) from error
    target.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(target / "model.onnx"))
    (target / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    return encoder_hash(folder)


def read_config(folder: Path) -> dict[str, Any]:
    """Return `config.json` of published weights; raises ArtifactError unless the graph below is what it describes."""
    path = folder / "config.json"
    try:
        config: dict[str, Any] = {"position_embedding_type": "absolute", **json.loads(path.read_text())}
    except (ValueError, TypeError) as error:
        raise ArtifactError(f"{path}: not a JSON object ({error}), expected an encoder's; fetch it again") from error
    for key, expected in (("model_type", "bert"), ("hidden_act", "gelu"), ("position_embedding_type", "absolute")):
        if config.get(key) != expected:
            raise ArtifactError(f"{path}: {key} is {config.get(key)!r}, expected {expected!r}; use another encoder")
    return config


def encoder_hash(folder: Path) -> str:
    """Return 16 hex digits that change with the weights, their configuration, the tokenizer or the graph."""
    digest = sha256(f"graph {GRAPH_VERSION}\n".encode())
    for name in WEIGHT_FILES:
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()[:16]


class _Graph:
    """Collects nodes and constants while the encoder is written down layer by layer."""

    def __init__(self, weights: Weights, config: dict[str, Any]) -> None:
        self.weights = weights
        self.layers: int = config["num_hidden_layers"]
        self.heads: int = config["num_attention_heads"]
        self.width: int = config["hidden_size"]
        self.epsilon: float = config["layer_norm_eps"]
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def encoder(self) -> Any:
        x = self._embeddings()
        bias = self._attention_bias()
        for layer in range(self.layers):
            x = self._layer(x, bias, f"encoder.layer.{layer}")
        self._pool(x)
        shape = ["n", "tokens"]
        inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "mask")]
        output = helper.make_tensor_value_info("sentence", TensorProto.FLOAT, ["n", self.width])
        return helper.make_graph(self.nodes, "minilm", inputs, [output], list(self.constants.values()))

    def _op(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        output = name or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def _constant(self, name: str, value: npt.NDArray[Any]) -> str:
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def _weight(self, name: str, *, transpose: bool = False) -> str:
        value = self.weights[name].astype(np.float32)
        return self._constant(name, value.T if transpose else value)

    def _linear(self, x: str, name: str) -> str:
        product = self._op("MatMul", x, self._weight(f"{name}.weight", transpose=True))
        return self._op("Add", product, self._weight(f"{name}.bias"))

    def _norm(self, x: str, name: str) -> str:
        scale, shift = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        return self._op("LayerNormalization", x, scale, shift, axis=-1, epsilon=self.epsilon)

    def _embeddings(self) -> str:
        words = self._op("Gather", self._weight("embeddings.word_embeddings.weight"), "input_ids")
        length = self._op("Shape", "input_ids", start=1, end=2)
        start = self._constant("start", np.array([0], np.int64))
        placed = self._op("Slice", self._weight("embeddings.position_embeddings.weight"), start, length, start)
        first = self._constant("segment", self.weights["embeddings.token_type_embeddings.weight"][0].astype(np.float32))
        total = self._op("Add", self._op("Add", words, placed), first)
        return self._norm(total, "embeddings.LayerNorm")

    def _attention_bias(self) -> str:
        """0 where a token is, a large negative number where padding is, shaped [n, 1, 1, tokens]."""
        mask = self._op("Cast", "mask", to=TensorProto.FLOAT)
        padding = self._op("Sub", self._constant("float_one", np.array(1, np.float32)), mask)
        wide = self._op("Unsqueeze", padding, self._constant("axes", np.array([1, 2], np.int64)))
        return self._op("Mul", wide, self._constant("minus", np.array(-1e9, np.float32)))

    def _split_heads(self, x: str) -> str:
        shape = np.array([0, 0, self.heads, self.width // self.heads], np.int64)
        return self._op("Reshape", x, self._constant("heads_shape", shape))

    def _layer(self, x: str, bias: str, name: str) -> str:
        attention = f"{name}.attention"
        query, key, value = (
            self._split_heads(self._linear(x, f"{attention}.self.{part}")) for part in ("query", "key", "value")
        )
        by_head = self._op("Transpose", query, perm=[0, 2, 1, 3])
        products = self._op("MatMul", by_head, self._op("Transpose", key, perm=[0, 2, 3, 1]))
        scale = self._constant("scale", np.array(np.sqrt(self.width / self.heads), np.float32))
        shares = self._op("Softmax", self._op("Add", self._op("Div", products, scale), bias), axis=-1)
        mixed = self._op("MatMul", shares, self._op("Transpose", value, perm=[0, 2, 1, 3]))
        flat = self._constant("flat_shape", np.array([0, 0, self.width], np.int64))
        joined = self._op("Reshape", self._op("Transpose", mixed, perm=[0, 2, 1, 3]), flat)
        x = self._norm(
            self._op("Add", x, self._linear(joined, f"{attention}.output.dense")), f"{attention}.output.LayerNorm"
        )
        inner = self._op("Gelu", self._linear(x, f"{name}.intermediate.dense"))
        return self._norm(self._op("Add", x, self._linear(inner, f"{name}.output.dense")), f"{name}.output.LayerNorm")

    def _pool(self, x: str) -> None:
        last = self._constant("last_axis", np.array([-1], np.int64))
        tokens = self._constant("token_axis", np.array([1], np.int64))
        mask = self._op("Unsqueeze", self._op("Cast", "mask", to=TensorProto.FLOAT), last)
        total = self._op("ReduceSum", self._op("Mul", x, mask), tokens, keepdims=0)
        mean = self._op("Div", total, self._op("ReduceSum", mask, tokens, keepdims=0))
        self._op("LpNormalization", mean, name="sentence", axis=-1, p=2)
