"""Add what numbers do and what sessions are like to a semantic model: a new, self-contained model folder of all."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from faultline.artifact import MANIFEST, read_manifest, write_manifest
from faultline.config import TrainConfig
from faultline.registry import Registry, Training
from spark.models import session_training
from spark.models.counting import facts_of
from spark.models.features import FEATURES_VERSION
from spark.models.release import fingerprint, metrics_of, publish_and_register, tags_of
from spark.models.semantic import SemanticModel
from spark.models.session_model import FOLDER as SESSIONS
from spark.models.session_model import SessionModel
from spark.models.structured import StructuredModel
from spark.models.structured_training import train
from spark.models.templates import template_id

JOB: Final = "structure_train"  # names the experiment


def release(table: pa.Table, config: TrainConfig, registry: Registry, sessions: pa.Table | None = None) -> Path:
    """Extend the model in `config.base` with what FACT_SCHEMA rows teach, publish, register; return the new folder.

    `sessions` are SESSION_SCHEMA rows; without enough of them the model does not judge sessions. Raises
    TrainingDataError when there is too little normal time, ArtifactError for a base that is not whole,
    RegistryUnavailable; the old model keeps the alias then.
    """

    def build(folder: Path) -> Training:
        manifest = extend(config.base, table, folder, config.budget_per_detector, sessions)
        parameters: dict[str, str | float] = {
            "false_alarms_per_day": config.budget_per_detector,
            "features": FEATURES_VERSION,
            "base": config.base.resolve().name,
        }
        return Training(JOB, parameters, _metrics(manifest), tags_of(folder, fingerprint(table)))

    return publish_and_register(build, registry, config.models, config.alias)


def extend(
    base: Path, table: pa.Table, folder: Path, budget_per_day: float, sessions: pa.Table | None = None
) -> dict[str, Any]:
    """Write to `folder` the model in `base` with a structured part learned from FACT_SCHEMA rows; return the manifest.

    From SESSION_SCHEMA rows a session part is learned, where there are enough of them. Raises TrainingDataError when
    there is too little normal time, ArtifactError when the base is not whole.
    """
    replaced = ("version", "files", "sessions")
    facts = {name: value for name, value in read_manifest(base).items() if name not in replaced}
    semantic = SemanticModel.load(base)
    templates = {template_id(text): text for text in semantic.references}
    model = train(facts_of(table), templates, budget_per_day, semantic.routine_templates())
    shutil.copytree(base, folder, ignore=shutil.ignore_patterns(MANIFEST, SESSIONS), dirs_exist_ok=True)
    model.save(folder)
    facts["structured"] = _facts(model, budget_per_day)
    found = (
        session_training.train(sessions, writers(table), templates, budget_per_day) if sessions is not None else None
    )
    if found is not None:
        found.save(folder)
        facts["sessions"] = _session_facts(found, budget_per_day)
    facts["services"] = sorted({*facts["services"], *model.profiles})
    facts["trained_at"] = datetime.now(UTC).isoformat()
    write_manifest(folder, **facts)
    return read_manifest(folder)


def _facts(model: StructuredModel, budget_per_day: float) -> dict[str, Any]:
    """Return what the manifest says of the structured part."""
    return {
        "budget_per_day": budget_per_day,
        "features": {service: len(profile.names) for service, profile in model.profiles.items()},
        # What held-out time alone rules out; `floors` continue its tail down to the budget.
        "false_alerts_per_day_at_most": {name: round(t.bound_per_day, 3) for name, t in model.thresholds.items()},
        "floors": {name: round(floor, 3) for name, floor in model.floors.items()},
        "held_out_windows": {name: t.units for name, t in model.thresholds.items()},
    }


def _session_facts(model: SessionModel, budget_per_day: float) -> dict[str, Any]:
    """Return what the manifest says of the session part."""
    return {
        "budget_per_day": budget_per_day,
        # What held-out time alone rules out; `floor` continues its tail down to the budget.
        "false_alerts_per_day_at_most": round(model.threshold.bound_per_day, 3),
        "floor": round(model.floor, 3),
        "held_out_windows": model.threshold.units,
    }


def writers(table: pa.Table) -> dict[str, str]:
    """Return the service that writes a template most often, by template id, as FACT_SCHEMA rows tell."""
    lines: dict[str, Counter[str]] = defaultdict(Counter)
    chosen = table.filter(pc.starts_with(table["name"], "template:")).group_by(["name", "service_name"])
    for row in chosen.aggregate([("lines", "sum")]).to_pylist():
        lines[row["name"].removeprefix("template:")][row["service_name"]] += row["lines_sum"]
    return {template: min(found, key=lambda name: (-found[name], name)) for template, found in lines.items()}


def _metrics(manifest: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers among the facts, each service's as its own metric."""
    facts = manifest["structured"]
    sessions = {f"sessions/{name}": float(value) for name, value in manifest.get("sessions", {}).items()}
    return sessions | metrics_of(facts, ("features", "false_alerts_per_day_at_most", "floors", "held_out_windows"))
