"""From a dataset to a registered model: train, write beside the others, check, give it the alias."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from faultline.config import TrainConfig
from faultline.registry import Registry, Training
from spark.models.counting import counted_lines
from spark.models.embedder import ensure_encoder
from spark.models.features import FEATURES_VERSION
from spark.models.parameters import budget_of
from spark.models.release import fingerprint, metrics_of, publish_and_register, tags_of
from spark.models.semantic import SemanticModel
from spark.models.semantic_training import Budget, train

JOB: Final = "semantic_train"  # names the experiment


def release(table: pa.Table, config: TrainConfig, registry: Registry) -> Path:
    """Train on COUNT_SCHEMA rows, publish and register; return the model's folder.

    Raises TrainingDataError when the dataset is too small, ArtifactError when the encoder's weights are not there,
    RegistryUnavailable; the old model keeps the alias then.
    """
    budget = budget_of(config)

    def build(folder: Path) -> Training:
        lines, rejected = counted_lines(table)
        encoder, _ = ensure_encoder(config.models / "encoder", config.encoder)
        model = train(lines, encoder, budget)
        model.primary = config.semantic_arm
        facts = _facts(model, table, budget, rejected)
        model.save(folder, **facts)
        parameters = _parameters(model, budget, config.encoder)
        return Training(JOB, parameters, _metrics(facts), tags_of(folder, fingerprint(table)))

    return publish_and_register(build, registry, config.models, config.alias)


def _facts(model: SemanticModel, table: pa.Table, budget: Budget, rejected: int) -> dict[str, Any]:
    """Return what the manifest says of the training: enough to judge the model without opening it."""
    thresholds = model.arms[model.primary].thresholds
    return {
        "trained_at": datetime.now(UTC).isoformat(),
        "features": FEATURES_VERSION,
        "services": sorted(pc.unique(table["service_name"].drop_null()).to_pylist()),
        "lines": int(pc.sum(table["lines"]).as_py() or 0) - rejected,
        "rejected": rejected,
        "templates": len(model.references),
        "budget_per_day": budget.per_day,
        "false_alerts_per_day_at_most": {kind: round(t.bound_per_day, 3) for kind, t in thresholds.items()},
        "held_out_windows": {kind: t.units for kind, t in thresholds.items()},
    }


def _parameters(model: SemanticModel, budget: Budget, encoder: str) -> dict[str, str | float]:
    return {
        "false_alarms_per_day": budget.per_day,
        "calibration_fraction": budget.calibration_fraction,
        "similarity": budget.grouping.similarity,
        "min_values": budget.grouping.min_values,
        "semantic_arm": model.primary,
        "encoder": encoder,
        "encoder_hash": model.encoder.name,
        "features": FEATURES_VERSION,
    }


def _metrics(facts: dict[str, Any]) -> dict[str, float]:
    """Return the numbers among the facts."""
    plain = {name: float(facts[name]) for name in ("lines", "rejected", "templates")}
    return plain | metrics_of(facts, ("false_alerts_per_day_at_most", "held_out_windows"))
