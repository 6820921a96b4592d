"""Does a new line read like trouble, or like a service at work? Where its embedding lies between two lists of texts.

Normal time drifts in what is informative: releases bring lines that training never saw, nearly all of them harmless.
How far such a line is from known ones does not tell it from a silent failure; what it says does. The axis between the
mean embeddings of two lists is a SemAxis (An, Kwak, Ahn 2018, doi 10.18653/v1/P18-1228), there of words, here of whole
lines. The lists are plain English about any software; no log was looked at for them, and 0 is the middle between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol, Self

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from faultline.errors import ArtifactError
from spark.models.base import Matrix, Vector

FILE: Final = "tone.safetensors"
TROUBLE: Final = (
    "the operation failed",
    "an error occurred",
    "the request timed out without an answer",
    "connection refused, the service cannot be reached",
    "permission denied, credentials rejected",
    "something required is missing or not found",
    "the value is invalid or wrong",
    "the service is unavailable",
    "a resource is exhausted, no space or memory left",
    "data was lost or corrupted",
    "a check was skipped, nothing was verified",
    "the source could not be read, a default is used instead",
    "an unexpected state, this should not happen",
    "trying again after a failure",
    "the task was aborted",
    "the result is unknown",
)
ROUTINE: Final = (
    "the operation completed successfully",
    "the request was answered",
    "an item was created",
    "an item was read and shown",
    "a list was returned",
    "the service has started and is ready",
    "a connection was established",
    "the configuration was loaded",
    "a scheduled job finished",
    "the cache was refreshed",
    "a user logged in",
    "a payment was accepted",
    "a statistic was reported",
    "a record was stored",
    "a message was sent",
    "a search found some results",
)


class TextEmbedder(Protocol):
    """Texts in, one vector a text out."""

    def embed(self, texts: Sequence[str]) -> Matrix: ...


class Tone:
    """The axis from routine to trouble in one embedding space, float32 [d]."""

    def __init__(self, axis: npt.NDArray[np.float32]) -> None:
        self._axis = axis

    @classmethod
    def of(cls, embedder: TextEmbedder) -> Self:
        """Return the axis in the space of an embedder; costs an embedding for each sentence of the lists."""
        trouble, routine = embedder.embed(TROUBLE), embedder.embed(ROUTINE)
        return cls(np.asarray(trouble.mean(axis=0) - routine.mean(axis=0), np.float32))

    def lean(self, x: Matrix) -> Vector:
        """Return float32 [n]: above 0 nearer to trouble, below 0 nearer to routine, for embeddings x float32 [n, d]."""
        return np.asarray(x @ self._axis, np.float32)

    def save(self, folder: Path) -> None:
        """Write the axis beside the detector of its space."""
        save_file({"axis": self._axis}, folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read what `save` wrote, None when this space has no axis; raises ArtifactError for another content."""
        path = folder / FILE
        if not path.is_file():
            return None
        stored = load_file(path)
        if set(stored) != {"axis"} or stored["axis"].ndim != 1:
            raise ArtifactError(f"{path}: holds {sorted(stored)}, expected one vector named axis; train again")
        return cls(stored["axis"])
