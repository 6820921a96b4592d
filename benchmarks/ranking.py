"""Time to rank the causes of one incident in a catalog of 10,000 services."""

from __future__ import annotations

from datetime import UTC, datetime
from statistics import median
from time import perf_counter
from typing import Final

from benchmarks.workbench import Result, Workbench
from faultline.catalog.demo import demo_entities
from faultline.catalog.entities import Catalog
from faultline.catalog.graph import DependencyGraph
from faultline.catalog.synthetic import synthetic_entities
from spark.models.root_cause.diagnosis import Stamp, diagnose
from spark.models.root_cause.grouping import MAX_SYMPTOMS, Group
from spark.models.root_cause.ranker import Ranker
from spark.models.root_cause.situation import Situation
from spark.models.root_cause.symptoms import Symptom, SymptomKind

SERVICES: Final = 10_000
ABNORMAL: Final = 25  # services of one incident, with as many symptoms as an incident keeps
ROUNDS: Final = 50
_NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)


def measure(bench: Workbench) -> Result:
    """Rank an incident of many services, again and again; the catalog is read once, as in the incident process."""
    entities = [*demo_entities({}), *synthetic_entities(SERVICES, seed=7)]
    catalog = Catalog({entity.ref: entity for entity in entities})
    graph, names = DependencyGraph.of(catalog), catalog.by_log_name()
    abnormal = [entity.name for entity in catalog.candidates()[:: SERVICES // ABNORMAL]]
    kinds = list(SymptomKind)
    symptoms = [
        Symptom(
            service_name=abnormal[i % len(abnormal)],
            kind=kinds[i % len(kinds)],
            surprise=float(i),
            since=_NOW,
            text=f"{abnormal[(i + 1) % len(abnormal)]} did not answer",
        )
        for i in range(MAX_SYMPTOMS)
    ]
    group = Group("incident", _NOW, _NOW, dict.fromkeys(abnormal, _NOW), symptoms=symptoms)
    seconds = []
    for number in range(ROUNDS):
        begun = perf_counter()
        diagnose(group, Situation(symptoms, graph, names), Ranker.prior(), Stamp(number, "m", _NOW))
        seconds.append(perf_counter() - begun)
    slowest = sorted(seconds)[int(0.95 * ROUNDS)]
    return {
        "services": len(catalog.candidates()),
        "p50_ms": round(1000 * median(seconds), 1),
        "p95_ms": round(1000 * slowest, 1),
        "ratio_to_limit": round(slowest / 0.2, 3),
        "targets": {"p95_ms": "<= 200"},
    }
