"""From a group of anomalies to an incident with ranked causes, each with what speaks for it, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from faultline.incidents import Cause, CauseKind, Evidence, Incident, IncidentState
from spark.models.root_cause.grouping import Group
from spark.models.root_cause.ranker import Ranker
from spark.models.root_cause.situation import FEATURES, OWN, Candidates, Change, Situation, candidates_of
from spark.models.root_cause.symptoms import Symptom, SymptomKind

CAUSES: Final = 5
EVIDENCE_LINES: Final = 8  # of a cause
SHOWN: Final = 2  # pieces of evidence in the paragraph
TEXT_CHARS: Final = 2000  # of a line; whole under its id
QUOTED_CHARS: Final = 160  # of a line in the paragraph
OF_ITSELF: Final = frozenset({"first", "explained", "named", "blames"})  # whose text goes on from a service's name
_LEAST_WEIGHT: Final = 0.01  # below, a piece of evidence says nothing

Row = Mapping[str, float]


@dataclass(frozen=True)
class Stamp:
    """Which record of the incident it is, when it was made, and by which model."""

    version: int
    model_version: str
    now: datetime


def diagnose(
    group: Group, situation: Situation, ranker: Ranker, stamp: Stamp, candidates: Candidates | None = None
) -> Incident:
    """Return the incident as it stands; n log n in symptoms and candidates, which are those of the situation."""
    candidates = candidates or candidates_of(situation)
    p = ranker.probabilities(candidates)
    weights = ranker.contributions(candidates)
    causes = [
        _cause(situation, candidates, place, float(p[place]), dict(zip(FEATURES, weights[place].tolist(), strict=True)))
        for place in ranker.order(candidates)[:CAUSES]
    ]
    return Incident(
        anomalies=group.anomalies,
        causes=causes,
        explanation=explain(causes, group),
        incident_id=group.incident_id,
        merged_into=group.merged_into,
        model_version=stamp.model_version,
        opened_at=group.opened_at,
        resolved_at=group.last_at if group.state is IncidentState.RESOLVED else None,
        services=sorted(group.services, key=lambda name: (group.services[name], name)),
        state=group.state,
        updated_at=stamp.now,
        version=stamp.version,
    )


def _cause(situation: Situation, candidates: Candidates, place: int, probability: float, weights: Row) -> Cause:
    name, change = candidates.names[place], candidates.changes[place]
    found = [*_own(situation, name, change, weights), *_relations(situation, name, change, weights)]
    ordered = sorted(found, key=lambda evidence: (-evidence.weight, evidence.text))
    return Cause(
        evidence=[evidence for evidence in ordered if abs(evidence.weight) >= _LEAST_WEIGHT][:EVIDENCE_LINES],
        kind=CauseKind.CHANGE if change else CauseKind.SERVICE,
        name=name,
        probability=round(probability, 4),
        title=change.text[:QUOTED_CHARS] if change else name,
    )


def _own(situation: Situation, name: str, change: Change | None, weights: Row) -> Iterator[Evidence]:
    """Yield the symptoms of the service, or of those that a change touched; a kind's weight goes to its strongest."""
    for service in change.services if change else (name,):
        by_kind: dict[SymptomKind, list[Symptom]] = {}
        for symptom in sorted(situation.by_service.get(service, ()), key=lambda symptom: -symptom.surprise):
            by_kind.setdefault(symptom.kind, []).append(symptom)
        for kind, symptoms in by_kind.items():
            weight = weights[OWN[list(SymptomKind).index(kind)]]
            strongest = symptoms[0].surprise or 1.0
            yield from (_symptom_evidence(symptom, weight * symptom.surprise / strongest) for symptom in symptoms[:3])


def _symptom_evidence(symptom: Symptom, weight: float) -> Evidence:
    return Evidence(
        at=symptom.since,
        event_id=symptom.line.event_id if symptom.line else "",
        kind=symptom.kind,
        service_name=symptom.service_name,
        text=symptom.text[:TEXT_CHARS],
        weight=round(weight, 3),
    )


def _relations(situation: Situation, name: str, change: Change | None, weights: Row) -> Iterator[Evidence]:
    """Yield what speaks for a candidate beside its own symptoms, and against it."""
    service = name if change is None else (change.services or ("",))[0]
    above = _listed(_abnormal(situation, situation.graph.dependents(service)))
    below = _listed(_abnormal(situation, situation.graph.dependencies(service)))
    texts = {
        "first": "was abnormal first",
        "explains": f"{above} depend on it and are abnormal",
        "explained": f"depends on {below}, abnormal too",
        "touches": "slow calls begin or end at it",
        "named": "is named in abnormal lines of other services",
        "blames": "names a service it depends on in its own abnormal lines",
        "text": "abnormal lines are about what the catalog says of it",
    }
    for feature, text in texts.items():
        yield _plain(feature, service, text, weights[feature], None)
    for touched in [change] if change else _changes_of(situation, service):
        yield _plain("changed", service, f"changed: {touched.text}", weights["changed"], touched)


def _plain(kind: str, service: str, text: str, weight: float, change: Change | None) -> Evidence:
    return Evidence(
        at=change.at if change else None,
        event_id=change.event_id if change else "",
        kind=kind,
        service_name=service,
        text=text[:TEXT_CHARS],
        weight=round(weight, 3),
    )


def _changes_of(situation: Situation, service: str) -> list[Change]:
    return sorted((c for c in situation.changes if service in c.services), key=lambda c: c.at, reverse=True)[:1]


def _abnormal(situation: Situation, names: Mapping[str, int]) -> list[str]:
    return sorted(name for name in names if name in situation.severity)


def _listed(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names) or "nobody"
    return (
        f"{', '.join(names[:4])} and {len(names) - 4} more"
        if len(names) > 5
        else f"{', '.join(names[:-1])} and {names[-1]}"
    )


def explain(causes: Sequence[Cause], group: Group) -> str:
    """Return one paragraph: what is abnormal since when, the likely cause and why, what else it may be."""
    since = f"{group.opened_at:%H:%M:%S} UTC"
    if not causes:
        return f"{_listed(sorted(group.services))} abnormal since {since}; nothing speaks for a cause."
    first, *others = causes
    why = "; ".join(_quoted(evidence) for evidence in first.evidence[:SHOWN] if evidence.weight > 0)
    rest = ", ".join(f"{cause.title} ({cause.probability:.0%})" for cause in others[:2] if cause.probability >= 0.05)
    alternatives = f" Else {rest}." if rest else ""
    what = f'the change "{first.title}"' if first.kind is CauseKind.CHANGE else first.title
    return (
        f"{_listed(sorted(group.services))} abnormal since {since}. Likely cause: {what} ({first.probability:.0%})"
        f"{f', since {why}' if why else ''}.{alternatives}"
    )


def _quoted(evidence: Evidence) -> str:
    text = " ".join(evidence.text.split())[:QUOTED_CHARS]
    if evidence.kind == SymptomKind.SAID:
        return f'{evidence.service_name} says "{text}"'
    if evidence.kind in {str(kind) for kind in SymptomKind}:
        return f"{evidence.service_name}: {text}"
    return f"{evidence.service_name} {text}" if evidence.kind in OF_ITSELF else text
