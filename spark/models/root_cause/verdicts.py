"""What verdicts change: anomalies that operators called normal are left out before they are grouped."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from faultline.anomalies import AnyAnomaly, ServiceAnomaly
from faultline.feedback import FalseAlarms, Pattern
from spark.models.root_cause.symptoms import Symptom, SymptomKind, symptoms_of

LEAST_SURPRISE: Final = 4.5  # nats, three spreads: what moved less beside it says nothing of its own


def patterns_of(symptoms: Iterable[Symptom]) -> list[Pattern]:
    """Return the distinct patterns of symptoms, sorted: what a verdict on their incident is about."""
    return sorted({_pattern(symptom) for symptom in symptoms if symptom.pattern})


def is_normal(anomaly: AnyAnomaly, alarms: FalseAlarms) -> bool:
    """Return whether verdicts call all that is abnormal about an anomaly normal; linear in the verdicts."""
    symptoms = list(symptoms_of(anomaly))
    strongest = max((symptom.surprise for symptom in symptoms), default=0.0)
    patterns = {_pattern(symptom) for symptom in symptoms if symptom.surprise >= min(LEAST_SURPRISE, strongest)}
    if isinstance(anomaly, ServiceAnomaly):
        patterns |= {Pattern(SymptomKind.SAID, line.template, anomaly.service_name) for line in anomaly.lines}
    return bool(patterns) and alarms.cover(frozenset(patterns))


def _pattern(symptom: Symptom) -> Pattern:
    return Pattern(symptom.kind, symptom.pattern, symptom.service_name)
