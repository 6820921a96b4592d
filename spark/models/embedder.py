"""Sentence embeddings with ONNX Runtime: texts in, unit vectors out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from faultline.errors import ArtifactError
from spark.models import minilm
from spark.models.encoders import DEFAULT_ENCODER, weights_folder

Matrix = npt.NDArray[np.float32]

MAX_TOKENS = 128  # a masked log line has about 20; what lies beyond says little and costs quadratically
BATCH = 32


class Embedder:
    """MiniLM on one thread: x float32 [n, 384], rows of length 1; about 9 ms a text on one core with 6 layers."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        for name in ("model.onnx", "tokenizer.json"):
            if not (folder / name).is_file():
                raise ArtifactError(f"{folder}: no {name}, expected an encoder written by build_encoder; train again")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, ["CPUExecutionProvider"])
        self._width: int = self._session.get_outputs()[0].shape[1]
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.enable_padding()

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Return one unit vector per text; row i depends on text i only (up to float rounding)."""
        if not texts:
            return np.empty((0, self._width), np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # like lengths together: less padding
        rows = [self._embed_batch([texts[i] for i in order[at : at + BATCH]]) for at in range(0, len(order), BATCH)]
        result = np.empty((len(texts), rows[0].shape[1]), np.float32)
        result[order] = np.concatenate(rows)
        return result

    def _embed_batch(self, texts: list[str]) -> Matrix:
        encoded = self._tokenizer.encode_batch(texts)
        ids = np.array([item.ids for item in encoded], np.int64)
        mask = np.array([item.attention_mask for item in encoded], np.int64)
        (sentence,) = self._session.run(["sentence"], {"input_ids": ids, "mask": mask})
        return np.asarray(sentence, np.float32)


def ensure_encoder(home: Path, encoder: str = DEFAULT_ENCODER) -> tuple[Path, str]:
    """Return the encoder's folder below `home` and its hash; builds it once (3 to 6 s).

    `encoder` is a name of encoders.ENCODERS, whose weights are in its package or in `home/<name>`, or a folder of
    weights. Raises ArtifactError when they are not there or of another kind.
    """
    source = weights_folder(encoder, home)
    version = minilm.encoder_hash(source)
    folder = home / version
    if not folder.is_dir():
        work = home / f".{version}-{os.getpid()}"
        minilm.build_encoder(source, work)
        work.rename(folder)
    return folder, version
