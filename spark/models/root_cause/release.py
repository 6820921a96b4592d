"""Add what requests are like and what causes look like to a model: a new, self-contained model folder of all."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from faultline.catalog.graph import Edge
from faultline.config import TrainConfig
from faultline.registry import Registry, Training
from spark.models.features import FEATURES_VERSION
from spark.models.release import fingerprint, publish_and_register, tags_of
from spark.models.root_cause.addresses import proxied_edges
from spark.models.root_cause.calls import Part, learn_edges
from spark.models.root_cause.counting import parts_of, steps_by_bucket, windows_of
from spark.models.root_cause.flow import FlowProfile
from spark.models.root_cause.model import RootCauseModel
from spark.models.root_cause.numbers import NumberProfile
from spark.models.root_cause.ranker import LabelledCandidates, Ranker
from spark.models.root_cause.usual import Usual

JOB: Final = "root_cause_train"
logger = logging.getLogger(__name__)
WINDOW_SECONDS: Final = 30  # of normal time, whose shares of steps make a range; some ten in the shortest learning time


@dataclass(frozen=True)
class Requests:
    """What is learned from: STEP_SCHEMA, REQUEST_SCHEMA and ADDRESS_SCHEMA rows of normal time."""

    steps: pa.Table
    parts: pa.Table
    addresses: pa.Table


def release(seen: Requests, incidents: Sequence[LabelledCandidates], config: TrainConfig, registry: Registry) -> Path:
    """Extend the model in `config.base`, publish, register; return the new folder.

    Raises ArtifactError for a base that is not whole, RegistryUnavailable; the old model keeps the alias then.
    """

    def build(folder: Path) -> Training:
        facts = extend(config.base, folder, seen, incidents)["root_cause"]
        parameters: dict[str, str | float] = {"features": FEATURES_VERSION, "base": config.base.resolve().name}
        metrics = {name: float(value) for name, value in facts.items()}
        return Training(JOB, parameters, metrics, tags_of(folder, fingerprint(seen.steps)))

    return publish_and_register(build, registry, config.models, config.alias)


def extend(base: Path, folder: Path, seen: Requests, incidents: Sequence[LabelledCandidates]) -> dict[str, Any]:
    """Write to `folder` the model in `base` with a root-cause part; return the manifest.

    Normal time teaches what is usual; incidents whose cause is known teach the weights, which are those of the
    project's own incidents where there are none.
    """
    found = parts_of(seen.parts)
    model = RootCauseModel(
        _usual(seen, found),
        tuple(_merged([*learn_edges(found), *proxied_edges(seen.addresses)])),
        Ranker.delivered().fit(incidents) if incidents else Ranker.delivered(),
    )
    usual = [ends for steps_of in model.usual.flow.ranges.values() for ends in steps_of.values()]
    facts = {"edges": len(model.edges), "incidents": len(incidents), "services": len(model.usual.flow.ranges)}
    return model.extend(base, folder, **facts, steps=sum(map(len, usual)))


def _usual(seen: Requests, parts: Sequence[Part]) -> Usual:
    """Return what requests are like; of logs whose lines belong to no request, nothing, with a word in the log."""
    windows = windows_of(steps_by_bucket(seen.steps), WINDOW_SECONDS)
    if windows:
        return Usual.fit(windows, parts)
    advice = "lines with a trace or request id, or FAULTLINE_SESSION_PATTERN to find one, would tell more of causes"
    logger.warning("no line belongs to a request; causes are ranked without", extra={"advice": advice})
    return Usual(FlowProfile({}), NumberProfile({}))


def _merged(edges: Sequence[Edge]) -> list[Edge]:
    """Return one edge for each pair: the one that more requests show."""
    found: dict[tuple[str, str], Edge] = {}
    for edge in edges:
        known = found.setdefault((edge.source, edge.target), edge)
        found[edge.source, edge.target] = max(known, edge, key=lambda either: either.requests)
    return [found[pair] for pair in sorted(found)]
