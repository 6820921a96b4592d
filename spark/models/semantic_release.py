"""From a dataset to a published model: train, write beside the others, check, point `champion` at it."""

from __future__ import annotations

import logging
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from spark.models.artifact import publish
from spark.models.counting import counted_lines
from spark.models.embedder import ensure_encoder
from spark.models.semantic import SemanticModel
from spark.models.semantic_training import Budget, train

logger = logging.getLogger(__name__)


def release(table: pa.Table, models: Path, budget: Budget) -> Path:
    """Train on COUNT_SCHEMA rows and publish; return the model's folder.

    Raises TrainingDataError when the dataset is too small; the old champion stays in place then.
    """
    lines, rejected = counted_lines(table)
    models.mkdir(parents=True, exist_ok=True)
    encoder, _ = ensure_encoder(models / "encoder")
    model = train(lines, encoder, budget)
    facts = _facts(model, table, budget, rejected)
    with tempfile.TemporaryDirectory(dir=models, prefix=".training-", ignore_cleanup_errors=True) as work:
        model.save(Path(work) / "model", **facts)
        folder = publish(Path(work) / "model", models)
    logger.info("model published", extra={"version": model.version, **{k: facts[k] for k in ("lines", "templates")}})
    return folder


def _facts(model: SemanticModel, table: pa.Table, budget: Budget, rejected: int) -> dict[str, Any]:
    """Return what the manifest says of the training: enough to judge the model without opening it."""
    thresholds = model.arms["minilm"].thresholds
    return {
        "trained_at": datetime.now(UTC).isoformat(),
        "services": sorted(pc.unique(table["service_name"].drop_null()).to_pylist()),
        "lines": int(pc.sum(table["lines"]).as_py() or 0) - rejected,
        "rejected": rejected,
        "templates": len(model.references),
        "budget_per_day": budget.per_day,
        "false_alerts_per_day_at_most": {kind: round(t.bound_per_day, 3) for kind, t in thresholds.items()},
        "held_out_windows": {kind: t.units for kind, t in thresholds.items()},
    }
