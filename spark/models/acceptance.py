"""May this model stream: whole, made for this code's features and formats, its encoder at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from faultline.artifact import read_manifest
from faultline.errors import ArtifactError, FeaturesError
from spark.models.embedder import ensure_encoder
from spark.models.encoders import ENCODERS, weights_folder
from spark.models.features import FEATURES_VERSION
from spark.models.minilm import encoder_hash
from spark.models.semantic import SemanticModel
from spark.models.session_model import SessionModel
from spark.models.structured import StructuredModel


def accept(folder: Path) -> dict[str, Any]:
    """Return the manifest of a model that this code can stream.

    Raises FeaturesError when it was trained on other features, ArtifactError when a file is missing, altered or not
    readable. Builds the encoder when the model came from another machine (about 3 s, once).
    """
    manifest = read_manifest(folder)
    made = manifest.get("features")
    if made != FEATURES_VERSION:
        text = f"{folder}: trained on features {made!r}, expected {FEATURES_VERSION}; train again with this version"
        raise FeaturesError(text)
    try:
        encoder = SemanticModel.load(folder).encoder
        StructuredModel.load(folder)
        SessionModel.load(folder)
    except (ValueError, LookupError, TypeError, OSError) as error:
        text = f"{folder}: cannot be loaded ({error!r}), expected a model of this version; train again"
        raise ArtifactError(text) from error
    if not encoder.is_dir():
        _build(encoder, folder)
    return manifest


def _build(encoder: Path, folder: Path) -> None:
    """Build the encoder whose hash is the folder's name from the weights that are at hand."""
    for name in ENCODERS:
        try:
            known = encoder_hash(weights_folder(name, encoder.parent))
        except ArtifactError:
            continue  # not every encoder is on every machine
        if known == encoder.name:
            ensure_encoder(encoder.parent, name)
            return
    text = f"{folder}: needs encoder {encoder.name}, and no weights here make it; fetch those it was trained with"
    raise ArtifactError(f"{text}, or copy {encoder} from where it was trained")
