"""Experiment 3 from end to end: rank the incidents of every set that is there, held out, and report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from evaluation.root_cause import trainticket
from evaluation.root_cause.arms import all_arms
from evaluation.root_cause.curve import learning_curve
from evaluation.root_cause.held_out import HoldOut, Ranked, rank_held_out
from evaluation.root_cause.incidents import IncidentSet
from evaluation.root_cause.recorded import Run, read_run, recorded_incidents
from evaluation.root_cause.report import Findings, write_report
from faultline.catalog.demo import demo_entities
from faultline.catalog.entities import Catalog
from faultline.catalog.reading import read_catalog
from faultline.catalog.synthetic import synthetic_entities
from faultline.config import Environ, Paths
from faultline.errors import ConfigError
from faultline.incident_config import RootCauseEvaluationConfig
from faultline.stack.progress import Progress
from spark.models.embedder import Embedder, ensure_encoder
from spark.models.root_cause.meaning import Embed
from spark.models.root_cause.ranker import Ranker

DISTRACTORS: Final = 100  # services that nothing runs, in the catalog beside the demo's


def evaluate(
    run: Run | None, others: Sequence[IncidentSet], folder: Path, seed: int = 7, embed: Embed | None = None
) -> dict[str, Any]:
    """Rank the incidents of a recorded run and of other sets; return the facts, with a summary to print.

    `embed` as in `recorded_incidents`. Raises ConfigError when there is no incident at all.
    """
    begun, progress = datetime.now(UTC), Progress()
    ours = recorded_incidents(run, embed=embed) if run is not None else None
    sets = [*([ours] if ours else []), *others]
    if not any(found.incidents for found in sets):
        raise ConfigError("incidents", "none", "a recorded run of ./run chaos, or a day of TrainTicket")
    with progress.step("ranking incidents by what others teach"):
        ranked = [found for target in sets for found in _rank(target, sets)]
    with progress.step("giving verdicts"):
        points = []
        if run is not None and ours is not None:
            elsewhere = [incident.labelled for found in others for incident in found.incidents]
            begin = Ranker().fit(elsewhere) if elsewhere else Ranker.prior()
            points = learning_curve(run, ours.incidents, begin, seed)
    weights = Ranker().fit([incident.labelled for found in sets for incident in found.incidents])
    facts = write_report(folder, Findings(sets, ranked, points, weights.weights, begun, seed))
    weights.save(folder)
    return {**facts, "summary": _summary(facts), "report": str(folder / "report.html")}


def evaluate_configured(config: RootCauseEvaluationConfig, environ: Environ) -> dict[str, Any]:
    """Evaluate what the settings name; without a catalog, the demo's among 100 invented services."""
    if config.catalogs:
        catalog = read_catalog(config.catalogs)
    else:
        entities = [*demo_entities(environ), *synthetic_entities(DISTRACTORS, seed=7)]
        catalog = Catalog({entity.ref: entity for entity in entities})
    run = read_run(config.run, config.recording, catalog) if config.run else None
    days = [trainticket.load(config.trainticket)] if config.trainticket else []
    encoder = config.encoder or ensure_encoder(Paths.from_env(environ).models / "encoder")[0]
    return evaluate(run, days, config.out, embed=Embedder(encoder).embed)


def _rank(target: IncidentSet, sets: Sequence[IncidentSet]) -> list[Ranked]:
    """Rank by every arm; arms that do not learn are the same whatever is held out."""
    return [
        found
        for arm in all_arms()
        for hold_out in (HoldOut if arm.learns else (HoldOut.KIND,))
        for found in rank_held_out(arm, target, sets, hold_out)
    ]


def _summary(facts: dict[str, Any]) -> list[str]:
    names = {"ac1": "AC@1", "ac3": "AC@3"}
    return [
        f"{aim['set']}: {names[aim['measure']]} {aim['found']:.3f} with the kind of fault held out, wanted"
        f" {aim['wanted']:.3f}: {'reached' if aim['reached'] else 'not reached'}"
        for aim in facts["aims"]
    ]
