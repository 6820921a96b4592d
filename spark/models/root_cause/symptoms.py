"""What is wrong with a service, piece by piece: the common form of everything a detector finds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from faultline.anomalies import Anomaly, AnyAnomaly, Deviation, EvidenceLine, ServiceAnomaly, SessionAnomaly
from faultline.catalog.entities import Entity, own_name
from spark.models.explanation import describe_deviation
from spark.models.root_cause.flow import END, FlowDeviation
from spark.models.root_cause.numbers import NumberDeviation

SURGE: Final = 3.0  # times what is usual: less is what errors and retries add
MOST_SURPRISE: Final = 1000.0  # nats; beyond, a symptom cannot become more certain


class SymptomKind(StrEnum):
    """By what a service is abnormal (closed set); a kind weighs as much as incidents of the past have shown."""

    SAID = "said"  # lines that normal time did not have
    FLOW = "flow"  # lines that follow each other otherwise
    ERRORS = "errors"  # levels, status classes, success rates
    TIME = "time"  # durations
    RESOURCE = "resource"  # CPU, memory, network, handles
    LOAD = "load"  # many times the requests or lines
    VOLUME = "volume"  # how much there is of anything else
    SILENCE = "silence"  # lines that are overdue


class Symptom(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is abnormal about a service."""

    service_name: str
    kind: SymptomKind
    surprise: float  # nats: how much less likely it was in normal time, at most MOST_SURPRISE
    since: datetime | None  # None: within the incident, it is not known when
    text: str
    caller: str = ""  # of a call that is slow: both ends may be why
    pattern: str = ""  # what a verdict can make normal: a template, a feature, a step
    line: EvidenceLine | None = None

    def of(self, catalog: Mapping[str, Entity]) -> Symptom:
        """Return the symptom by the catalog's names of services; `catalog` by name in the logs."""
        caller = own_name(catalog, self.caller) if self.caller else ""
        return msgspec.structs.replace(self, service_name=own_name(catalog, self.service_name), caller=caller)


_TIME: Final = ("latency", "duration", "wait", "seconds", "time", "p50:", "p95:", "_ms")
_RESOURCE: Final = ("cpu", "memory", "resident", "heap", "fds", "threads", "network", "syscall", "disk", "gc_")
# Names of counters of requests, after prometheus.io/docs/practices/naming: a histogram counts what it has observed.
_REQUESTS: Final = ("requests_total", "request_duration_seconds_count", "request_seconds_count")
_ERRORS: Final = ("level:", "status:", "error", "success", "exception")


def kind_of_series(name: str) -> SymptomKind:
    """Return what a series of numbers is about, by its name.

    >>> str(kind_of_series("p95:duration_seconds")), str(kind_of_series("rate:process_cpu_seconds_total"))
    ('time', 'resource')
    """
    if _counts_requests(name):
        return SymptomKind.VOLUME
    lower = name.lower()
    for kind, words in ((SymptomKind.RESOURCE, _RESOURCE), (SymptomKind.ERRORS, _ERRORS), (SymptomKind.TIME, _TIME)):
        if any(word in lower for word in words):
            return kind
    return SymptomKind.SILENCE if lower.startswith("silence") else SymptomKind.VOLUME


def symptoms_of(anomaly: AnyAnomaly) -> Iterator[Symptom]:
    """Yield what an anomaly amounts to: the line, each number that moved, or the session."""
    if isinstance(anomaly, Anomaly):
        yield _said(anomaly)
    elif isinstance(anomaly, ServiceAnomaly):
        yield from (_moved(anomaly, deviation) for deviation in anomaly.deviations)
    else:
        yield _session(anomaly)


def flow_symptom(found: FlowDeviation, names: Mapping[str, str]) -> Symptom:
    """Return the symptom of a step whose share has changed; `names` gives the text of a template id."""
    before, after = (_quoted(part, names) for part in found.step[1:])
    share = f"in {found.taken} of {found.of} requests instead of {found.usual_share:.0%}"
    return Symptom(
        service_name=found.step.service_name,
        kind=SymptomKind.FLOW,
        surprise=min(found.surprise, MOST_SURPRISE),
        since=None,
        text=f"{before} is followed by {after} {share}",
        pattern=" > ".join(found.step[1:]),
    )


def number_symptom(found: NumberDeviation) -> Symptom:
    """Return the symptom of a series outside of its range."""
    return Symptom(
        service_name=found.series.service_name,
        kind=kind_of_series(found.series.name),
        surprise=min(found.widths**2 / 2, MOST_SURPRISE),
        since=None,
        text=f"{found.series.name} {found.value:.4g}, usually {found.low:.4g} to {found.high:.4g}",
        caller=found.series.caller,
        pattern=found.series.name,
    )


def _quoted(step: str, names: Mapping[str, str]) -> str:
    if step == END:
        return "the end of the request"
    if step.startswith("^"):
        return f"the start of {step[1:] or 'a request'}"
    return f'"{names.get(step, step)}"'


def _said(anomaly: Anomaly) -> Symptom:
    line = EvidenceLine(
        body=anomaly.body,
        event_id=anomaly.event_id,
        nearest_distance=anomaly.nearest_distance,
        nearest_template=anomaly.nearest_template,
        p_value=anomaly.p_value,
        source_type=anomaly.source_type,
        template=anomaly.template,
        timestamp=anomaly.timestamp,
    )
    return Symptom(
        service_name=anomaly.service_name,
        kind=SymptomKind.SAID,
        surprise=_nats(anomaly.p_value),
        since=anomaly.timestamp,
        text=anomaly.body,
        pattern=anomaly.template,
        line=line,
    )


def _moved(anomaly: ServiceAnomaly, deviation: Deviation) -> Symptom:
    """Half the square of a distance in spreads is its surprise under a normal distribution."""
    width = anomaly.window_end - anomaly.window_start
    return Symptom(
        service_name=anomaly.service_name,
        kind=_kind_of_move(deviation),
        surprise=min(deviation.deviation**2 / 2, MOST_SURPRISE),
        since=anomaly.since + width,  # when the first abnormal window was over: what it holds of before was normal
        text=describe_deviation(deviation),
        pattern=deviation.feature,
    )


def _kind_of_move(deviation: Deviation) -> SymptomKind:
    if deviation.value >= SURGE * deviation.usual > 0 and _counts_requests(deviation.feature):
        return SymptomKind.LOAD
    kind = kind_of_series(deviation.feature)
    fell = deviation.deviation < 0 and deviation.feature.startswith("lines")
    return SymptomKind.SILENCE if fell and deviation.value == 0 else kind


def _counts_requests(feature: str) -> bool:
    return feature.startswith("lines/") or feature.partition("{")[0].endswith(_REQUESTS)


def _session(anomaly: SessionAnomaly) -> Symptom:
    return Symptom(
        service_name=anomaly.service_name,
        kind=SymptomKind.FLOW,
        surprise=_nats(anomaly.p_value),
        since=anomaly.first,
        text=anomaly.explanation,
        pattern=" ".join(sorted(moved.template for moved in anomaly.moved)),
    )


def _nats(p_value: float) -> float:
    return min(-math.log(max(p_value, 1e-300)), MOST_SURPRISE)
