"""How a trained model goes out, whatever was trained: folder, registry, alias; each step only after the one before."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import csv

from faultline.aliases import CONTENT
from faultline.artifact import point, publish, read_manifest
from faultline.registry import Registry, Training
from spark.models.calibration import POOLED

logger = logging.getLogger(__name__)
FINGERPRINT: Final = "data_fingerprint"
CHALLENGER: Final = "challenger"

Build = Callable[[Path], Training]


def publish_and_register(build: Build, registry: Registry, models: Path, alias: str) -> Path:
    """Let `build` write a model folder with its manifest, publish and register it, and give it the alias.

    `build` gets the folder to write to and returns what to keep of the training. Returns the published folder. What
    was champion stays it when anything fails: the alias moves last. Raises what `build` raises, ArtifactError for a
    folder that is not whole, RegistryUnavailable, before `build` when it is so already.
    """
    registry.check()
    models.mkdir(parents=True, exist_ok=True)
    begin = datetime.now(UTC)
    with tempfile.TemporaryDirectory(dir=models, prefix=".training-", ignore_cleanup_errors=True) as work:
        (Path(work) / "model").mkdir()
        training = build(Path(work) / "model")
        seconds = (datetime.now(UTC) - begin).total_seconds()
        folder = publish(Path(work) / "model", models)
    metrics = {**training.metrics, **totals(read_manifest(folder)), "duration_seconds": seconds}
    version = registry.record_training(folder, replace(training, metrics=metrics))
    registry.promote(version, alias)
    point(models, alias, folder.name)
    logger.info("model published", extra={"version": folder.name, "number": version.number, "alias": alias})
    return folder


def publish_challenger(build: Build, registry: Registry, models: Path, alias: str, *, wins: bool) -> Path:
    """Do as `publish_and_register` with the alias `challenger`; when it wins, the model gets `alias` as well."""
    folder = publish_and_register(build, registry, models, CHALLENGER)
    version = registry.version_of(CHALLENGER)
    if wins and version is not None:
        registry.promote(version, alias)
        point(models, alias, folder.name)
    return folder


def totals(manifest: Mapping[str, Any]) -> dict[str, float]:
    """Return what `./run models` compares versions by, of a whole model: lines, templates, bound on false alerts.

    The bound is the sum over all thresholds (a union bound); the pooled ones judge only what normal time did not show.

    >>> part = {"false_alerts_per_day_at_most": {"nginx_access": 0.5, "*": 9.0}}
    >>> totals({"lines": 10, "templates": 2, **part, "structured": part})
    {'lines': 10.0, 'templates': 2.0, 'false_alerts_per_day_at_most': 1.0}
    """
    parts = [part.get("false_alerts_per_day_at_most", {}) for part in (manifest, manifest.get("structured", {}))]
    bounds = [bound for part in parts for name, bound in part.items() if name != POOLED]
    found = {name: float(manifest[name]) for name in ("lines", "templates") if name in manifest}
    return {**found, "false_alerts_per_day_at_most": float(sum(bounds))} if bounds else found


def metrics_of(facts: Mapping[str, Any], names: Iterable[str]) -> dict[str, float]:
    """Return facts that are numbers by kind as metrics; MLflow takes no `*`, all kinds pooled, in a name.

    >>> metrics_of({"floors": {"nginx": 2, "*": 3}}, ["floors"])
    {'floors/nginx': 2.0, 'floors/pooled': 3.0}
    """
    return {
        f"{name}/{'pooled' if kind == POOLED else kind}": float(value)
        for name in names
        for kind, value in facts[name].items()
    }


def tags_of(folder: Path, fingerprint: str) -> dict[str, str]:
    """Return the tags every training has: the data it learned from, the content it made, when."""
    manifest: dict[str, Any] = read_manifest(folder)
    return {FINGERPRINT: fingerprint, CONTENT: manifest["version"], "trained_at": manifest["trained_at"]}


def fingerprint(table: pa.Table) -> str:
    """Return the SHA-256 of a table's content, whatever the order of its rows and columns.

    >>> fingerprint(pa.table({"a": [1, 2], "b": ["x", "y"]})) == fingerprint(pa.table({"b": ["y", "x"], "a": [2, 1]}))
    True
    """
    names = sorted(table.column_names)
    ordered = table.select(names).sort_by([(name, "ascending") for name in names])
    digest = sha256(repr(names).encode())
    sink = pa.BufferOutputStream()
    csv.write_csv(ordered, sink)
    digest.update(sink.getvalue())
    return digest.hexdigest()
