"""Parameters of learning that the job `tune` searches, and the file in which it hands over the best."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

import msgspec

from faultline.config import TrainConfig
from faultline.errors import ConfigError
from spark.models.detectors.nearest import NearestTemplate
from spark.models.semantic_training import Budget
from spark.models.templates import MIN_VALUES, SIMILARITY, Grouping


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One point of the search; the defaults are those of training without a search."""

    calibration_fraction: Annotated[float, msgspec.Meta(ge=0.05, le=0.9)] = 0.3
    similarity: Annotated[float, msgspec.Meta(ge=0.1, le=1.0)] = SIMILARITY
    min_values: Annotated[int, msgspec.Meta(ge=2)] = MIN_VALUES
    detector: str = NearestTemplate.name

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote; ConfigError names file and fault."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, msgspec.DecodeError) as error:
            raise ConfigError("FAULTLINE_PARAMETERS", str(path), f"a file that the job tune wrote ({error})") from error

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")


def budget_of(config: TrainConfig) -> Budget:
    """Return what semantic_train learns with: the settings, or the file that FAULTLINE_PARAMETERS names.

    Raises ConfigError when the file is not usable, or names a detector that the stream does not score with.
    """
    if config.parameters is None:
        return Budget(config.budget_per_detector, config.calibration_fraction)
    found = Parameters.read(config.parameters)
    if found.detector != NearestTemplate.name:
        expected = f"{NearestTemplate.name!r}, which the stream scores with; tune without FAULTLINE_TUNE_DETECTORS"
        raise ConfigError(f"detector in {config.parameters}", found.detector, expected)
    grouping = Grouping(found.similarity, found.min_values)
    return Budget(config.budget_per_detector, found.calibration_fraction, grouping)
