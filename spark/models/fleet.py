"""All services at once, second by second: windows, judgement, and one anomaly out of what lines say and numbers do.

This is the state of the stream's second stage. It is bounded: windows and profiles by windows.MAX_SERVICES, evidence
by EVIDENCE_LINES a service. Time is event time: the state changes with what was read, never with the clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

import msgspec
import numpy as np

from faultline.alerting import ALERT_LINES
from faultline.anomalies import Anomaly, Deviation, EvidenceLine, ServiceAnomaly
from faultline.changes import ChangeEvent, restart, version_change
from spark.models.drift import Drift, Values
from spark.models.explanation import explain
from spark.models.features import Fact
from spark.models.recurrence import Recurrences
from spark.models.structured import DETECTOR, Profile, StructuredModel
from spark.models.windows import MAX_SERVICES, WIDTH, Row, RowTable, Windows, newest_second

EVIDENCE_LINES: Final = 20  # kept of a service; the most abnormal ones go into the record
SHOWN_LINES: Final = 5
SHOWN_FEATURES: Final = 5
BODY_CHARS: Final = 2000
REPEAT_SECONDS: Final = 15  # while a service stays abnormal, one record in so many seconds
SEMANTIC: Final = "semantic"


class Payload(msgspec.Struct, array_like=True):
    """What the first stage sends of one Arrow batch: its facts, and the newest second of each partition."""

    model: str  # name of the folder of the model that told the templates
    marks: dict[int, int]
    facts: list[Fact]
    changes: list[ChangeEvent] = []
    versions: dict[str, tuple[int, str]] = {}  # that a service says it runs, and in which second it did so last
    starts: dict[str, float] = {}  # when the newest process of a service began


class Case(msgspec.Struct):
    """What is known of a service that has been abnormal lately."""

    lines: list[EvidenceLine] = []
    since: int = 0  # first abnormal second
    last_abnormal: int = 0
    last_written: int = 0
    detectors: list[str] = []  # that have called it abnormal since

    def is_due(self, second: int, detectors: list[str]) -> bool:
        """Note an abnormal second; True when a record should be written.

        That is when it begins, when another detector joins in, and every REPEAT_SECONDS while it lasts.
        """
        if second - self.last_abnormal > WIDTH:
            self.since, self.last_written, self.detectors = second, 0, []
        self.last_abnormal = second
        joined = [name for name in detectors if name not in self.detectors]
        if not joined and second - self.last_written < REPEAT_SECONDS:
            return False
        self.last_written, self.detectors = second, self.detectors + joined
        return True


class ServiceSecond(msgspec.Struct):
    """A second in which a service's window was abnormal, by its numbers or by its lines."""

    service_name: str
    second: int
    score: float
    p_value: float
    abnormal: bool  # by its numbers
    record: ServiceAnomaly | None  # None where one was written a moment ago


class Fleet(msgspec.Struct):
    """The whole state."""

    windows: Windows = msgspec.field(default_factory=Windows)
    drifts: dict[str, Drift] = {}
    cases: dict[str, Case] = {}
    recurrences: Recurrences = msgspec.field(default_factory=Recurrences)
    newest: int = 0
    version: str = ""  # of the model that the drifts belong to
    recoveries: int = 0
    accepted: int = 0  # abnormal lines that were left out as lasting ones
    running: dict[str, str] = {}  # the version of each service
    started: dict[str, float] = {}  # when its newest process began

    def take(self, payloads: Iterable[Payload], anomalies: Iterable[Anomaly]) -> list[Anomaly]:
        """Take in the facts and the abnormal lines of one micro-batch, in any order; return the lines that stay so.

        Those of a template that has come for so long that it is normal by now are left out, and counted.
        """
        marks = []
        for payload in payloads:
            self.windows.add(payload.facts)
            marks.append(payload.marks)
        self.newest = newest_second(self.newest, marks)
        ordered = sorted(anomalies, key=lambda anomaly: (anomaly.timestamp, anomaly.event_id))
        lasting = [anomaly for anomaly in ordered if not self._is_accepted(anomaly)]
        self.accepted += len(ordered) - len(lasting)
        self._keep(lasting)
        return lasting

    def changes(self, payloads: Sequence[Payload]) -> list[ChangeEvent]:
        """Return the changes that one micro-batch tells of, in order of time: events, new versions, new processes.

        What a service was first seen with is none.
        """
        told = [change for payload in payloads for change in payload.changes]
        found = [*told, *self._new_versions(payloads), *self._new_processes(payloads)]
        return sorted(found, key=lambda change: (change.at, change.event_id))

    def _new_versions(self, payloads: Iterable[Payload]) -> Iterator[ChangeEvent]:
        newest: dict[str, tuple[int, str]] = {}
        for payload in payloads:
            for service, seen in payload.versions.items():
                newest[service] = max(newest.get(service, seen), seen)
        for service, (second, version) in sorted(newest.items()):
            before = self.running.get(service)
            if before is not None and before != version:
                yield version_change(service, _moment(second), before, version)
            if before is not None or len(self.running) < MAX_SERVICES:
                self.running[service] = version

    def _new_processes(self, payloads: Iterable[Payload]) -> Iterator[ChangeEvent]:
        newest: dict[str, float] = {}
        for payload in payloads:
            for service, began in payload.starts.items():
                newest[service] = max(newest.get(service, began), began)
        for service, began in sorted(newest.items()):
            before = self.started.get(service)
            if before is not None and began > before:
                yield restart(service, datetime.fromtimestamp(began, UTC))
            if before is not None or len(self.started) < MAX_SERVICES:
                self.started[service] = max(began, before or began)

    def _is_accepted(self, anomaly: Anomaly) -> bool:
        if anomaly.model_version != self.recurrences.version:
            self.recurrences = Recurrences(anomaly.model_version)
        second = int(min(anomaly.timestamp, anomaly.observed_timestamp).timestamp())
        return self.recurrences.accepts(anomaly.service_name, anomaly.template_id, second)

    def _keep(self, anomalies: Sequence[Anomaly]) -> None:
        """Keep the last lines of each service as evidence."""
        by_service: dict[str, list[Anomaly]] = {}
        for anomaly in anomalies:
            if anomaly.service_name in self.windows.services:
                by_service.setdefault(anomaly.service_name, []).append(anomaly)
        for service, found in by_service.items():
            case = self.cases.setdefault(service, Case())
            lines = [*case.lines, *map(_evidence, found[-EVIDENCE_LINES:])]
            case.lines = sorted(lines, key=lambda line: (line.timestamp, line.event_id))[-EVIDENCE_LINES:]

    def judge(self, model: StructuredModel) -> Iterator[ServiceSecond]:
        """Close the seconds that are complete and yield the abnormal ones, in order."""
        if model.version != self.version:
            self.version, self.drifts = model.version, {}
        for service, second, row in self.windows.advance(self.newest):
            found = self._judge_second(model, service, second, row)
            if found is not None:
                yield found
        self.cases = {name: case for name, case in self.cases.items() if name in self.windows.services}
        self.drifts = {name: drift for name, drift in self.drifts.items() if name in self.windows.services}

    def _judge_second(self, model: StructuredModel, service: str, second: int, row: Row) -> ServiceSecond | None:
        profile = model.profiles.get(service)
        if profile is None:
            return None  # a service that normal time did not show: its lines are judged, its numbers cannot be
        raw = profile.deviations(RowTable([row]))[0]
        drift = self.drifts.setdefault(service, Drift.none(len(profile.names)))
        deviations = drift.correct(raw)
        judgement = model.judge(service, deviations)
        self.recoveries += drift.update(raw, abnormal=judgement.abnormal)
        case = self.cases.setdefault(service, Case())
        said = _semantic_p_value(case.lines, second)
        if not judgement.abnormal and said >= 1.0:
            return None
        found = ServiceSecond(service, second, judgement.score, judgement.p_value, judgement.abnormal, None)
        if case.is_due(second, _detectors(said, found)):
            found.record = _record(model.version, found, case, said, _moved(model, profile, row, deviations))
        return found


def _moved(model: StructuredModel, profile: Profile, row: Row, deviations: Values) -> list[Deviation]:
    """Return the features that moved most, the greatest first."""
    usual = profile.usual(RowTable([row]))[0]
    order = np.argsort(-np.abs(deviations), kind="stable")[:SHOWN_FEATURES]
    return [
        Deviation(
            deviation=round(float(deviations[i]), 3),
            feature=model.feature_text(profile.names[i]),
            usual=round(float(usual[i]), 6),
            value=round(row.get(profile.names[i], 0.0), 6),
        )
        for i in order
        if abs(deviations[i]) >= 1.0
    ]


def _semantic_p_value(lines: Sequence[EvidenceLine], second: int) -> float:
    """Return the p-value of what a window's lines say: that of the ALERT_LINES-th most abnormal, see calibration.py."""
    recent = sorted(line.p_value for line in _of_window(lines, second))
    return recent[ALERT_LINES - 1] if len(recent) >= ALERT_LINES else 1.0


def _of_window(lines: Sequence[EvidenceLine], second: int) -> list[EvidenceLine]:
    return [line for line in lines if second - WIDTH < int(line.timestamp.timestamp()) <= second]


def _detectors(said: float, found: ServiceSecond) -> list[str]:
    return [name for name, of in ((SEMANTIC, said < 1.0), (DETECTOR, found.abnormal)) if of]


def _weight(line: EvidenceLine) -> tuple[float, float, str]:
    return line.p_value, -line.nearest_distance, line.event_id


def _record(version: str, found: ServiceSecond, case: Case, said: float, moved: list[Deviation]) -> ServiceAnomaly:
    second = found.second
    shown = sorted(_of_window(case.lines, second), key=_weight)[:SHOWN_LINES]
    return ServiceAnomaly(
        detectors=_detectors(said, found),
        deviations=moved,
        event_id=sha256(f"{found.service_name}\n{second}\n".encode()).hexdigest()[:32],
        explanation=explain(found.service_name, shown if said < 1.0 else [], moved if found.abnormal else []),
        lines=shown,
        model_version=version,
        # Bonferroni: of two p-values, whatever they have to do with each other, twice the smaller one is one.
        p_value=min(1.0, 2.0 * min(said, found.p_value)),
        semantic_p_value=said,
        service_name=found.service_name,
        since=_moment(case.since - WIDTH + 1),
        structured_p_value=found.p_value,
        structured_score=found.score,
        window_end=_moment(second + 1),
        window_start=_moment(second - WIDTH + 1),
    )


def _moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def _evidence(anomaly: Anomaly) -> EvidenceLine:
    return EvidenceLine(
        body=anomaly.body[:BODY_CHARS],
        event_id=anomaly.event_id,
        nearest_distance=anomaly.nearest_distance,
        nearest_template=anomaly.nearest_template,
        p_value=anomaly.p_value,
        source_type=anomaly.source_type,
        template=anomaly.template,
        timestamp=anomaly.timestamp,
    )
