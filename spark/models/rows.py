"""Rows of features on their way into a detector: what every detector checks alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file

from faultline.errors import ArtifactError, TrainingDataError
from spark.models.base import Counts, Matrix, Vector

Rows = npt.NDArray[np.float64]
Tensors = dict[str, npt.NDArray[Any]]


def training_rows(x: Matrix, counts: Counts, model: str) -> tuple[Rows, Counts]:
    """Return the distinct rows, sorted, float64 [k, d], and how often each was seen, int64 [k].

    Sorted, so that no detector can depend on the order in which rows came; rows never seen (count 0) are left out.
    Raises TrainingDataError when nothing is left, counts do not fit, or a column holds NaN or infinity.
    """
    if x.ndim != 2 or x.shape[1] == 0 or counts.shape != (len(x),) or (counts < 0).any():
        raise TrainingDataError(
            f"{model}: got rows {x.shape} and counts {counts.shape}, "
            "expected [n, d] with d > 0 and one count of 0 or more a row"
        )
    seen, times = np.asarray(x, np.float64)[counts > 0], counts[counts > 0]
    if len(seen) == 0:
        raise TrainingDataError(f"{model}: no rows to learn from, expected at least one of normal time")
    bad = np.flatnonzero(~np.isfinite(seen).all(axis=0))
    if len(bad):
        raise TrainingDataError(
            f"{model}: NaN or infinity in columns {_some(bad.tolist())} of {x.shape[1]}, expected finite numbers; "
            "repair these features"
        )
    rows, position = np.unique(seen + 0.0, axis=0, return_inverse=True)  # + 0.0: -0.0 and 0.0 are one value
    return rows, np.bincount(position.ravel(), weights=times).astype(np.int64)


def score_rows(x: Matrix, width: int, model: str, score: Callable[[Rows], npt.NDArray[Any]]) -> Vector:
    """Return float32 [n]: `score` of the finite rows as float64, +inf for rows that hold NaN or infinity.

    A row nobody can judge must not pass as normal. Raises ArtifactError when rows have another width than the model.
    """
    check_width(x, width, model)
    result = np.full(len(x), np.inf, np.float32)
    finite = np.isfinite(x).all(axis=1)
    if finite.any():
        result[finite] = np.minimum(score(np.asarray(x[finite], np.float64)), np.finfo(np.float32).max)
    return result


def check_width(x: Matrix, width: int, model: str) -> None:
    """Raise ArtifactError when rows are not as wide as those the model learned from."""
    if x.ndim != 2 or x.shape[1] != width:
        raise ArtifactError(
            f"{model}: got rows of shape {x.shape}, expected [n, {width}]: "
            "the model was trained with other features; train again"
        )


def read_tensors(path: Path, names: Sequence[str], model: str) -> Tensors:
    """Return the tensors of a file; raises ArtifactError when it is missing, unreadable or lacks one of `names`."""
    if not path.is_file():
        raise ArtifactError(f"{path} is missing, expected the state of {model}; train again")
    try:
        tensors: Tensors = load_file(path)
    except SafetensorError as error:
        raise ArtifactError(f"{path}: not a safetensors file ({error}); train again") from error
    if missing := sorted(set(names) - set(tensors)):
        raise ArtifactError(f"{path}: no {', '.join(missing)}, expected the state of {model}; train again")
    return tensors


def frequency_weight(counts: Counts) -> npt.NDArray[np.float64]:
    """Return 1 + log2(count): what is written a thousand times weighs ten times, not a thousand times as much.

    Frequencies of log templates span six orders; weighted linearly, a handful of templates would be all of normal.
    """
    return np.asarray(1.0 + np.log2(np.maximum(counts, 1)), np.float64)


def _some(columns: list[int]) -> str:
    text = ", ".join(map(str, columns[:8]))
    return text if len(columns) <= 8 else f"{text} and {len(columns) - 8} more"
