"""What verdicts change: patterns that operators called normal are taken out of anomalies before they are grouped."""

from __future__ import annotations

from collections.abc import Container, Iterable

import msgspec

from faultline.anomalies import AnyAnomaly, ServiceAnomaly
from faultline.feedback import Pattern
from spark.models.root_cause.symptoms import Symptom, symptoms_of


def patterns_of(symptoms: Iterable[Symptom]) -> list[Pattern]:
    """Return the distinct patterns of symptoms, sorted: what a verdict on their incident is about."""
    return sorted(
        {Pattern(symptom.kind, symptom.pattern, symptom.service_name) for symptom in symptoms if symptom.pattern}
    )


def without(anomaly: AnyAnomaly, normal: Container[Pattern]) -> AnyAnomaly | None:
    """Return what is left of an anomaly when patterns are normal, None when nothing is."""
    kept = [symptom for symptom in symptoms_of(anomaly) if _pattern(symptom) not in normal]
    if not isinstance(anomaly, ServiceAnomaly):
        return anomaly if kept else None
    features = {symptom.pattern for symptom in kept}
    lines = [line for line in anomaly.lines if Pattern("said", line.template, anomaly.service_name) not in normal]
    deviations = [deviation for deviation in anomaly.deviations if deviation.feature in features]
    if not lines and not deviations:
        return None
    return msgspec.structs.replace(anomaly, lines=lines, deviations=deviations)


def _pattern(symptom: Symptom) -> Pattern:
    return Pattern(symptom.kind, symptom.pattern, symptom.service_name)
