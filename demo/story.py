"""`./run demo`: from nothing to an alert, on real parts: learn what is normal, break a service, show what was seen."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from demo.report import LEARNED, write_report
from demo.watching import Watch
from faultline.alerts import FiringAlert
from faultline.config import Paths, Ports, StreamConfig, Topics, kafka_bootstrap
from faultline.errors import FaultlineError
from faultline.printing import printable
from faultline.records import SourceType
from faultline.stack.jars import connector_jars
from faultline.stack.lifecycle import Stack
from faultline.stack.progress import Progress
from faultline.stack.training import train
from faultline.stack.waiting import pass_time, wait_for, wait_until

CAUGHT_UP_RECORDS = 200  # about a second of the demo's lines
SETTLE_SECONDS = 5  # a scrape, a rule, and the way to Alertmanager
QUIET_SECONDS = 60
TARGET = "payments"  # called by orders only: its callers' logs, not its own, tell that it is gone


@dataclass(frozen=True)
class Lengths:
    """Seconds of each act."""

    learn: float = 60
    watch: float = 15
    broken: float = 15
    alert_deadline: float = 60
    resolve_deadline: float = 90


QUICK = Lengths(learn=40, watch=10, broken=10)


@dataclass(frozen=True)
class Fault:
    """An entry of the injector's journal: the only source of truth about what was broken and when."""

    target: str
    kind: str
    start: datetime
    end: datetime


@dataclass
class Times:
    """Moments of one run; the report computes durations from them."""

    begin: datetime
    stack_up: datetime | None = None
    learned: datetime | None = None
    first_scored: datetime | None = None
    watch_start: datetime | None = None
    alert: datetime | None = None
    resolved: datetime | None = None
    end: datetime | None = None


def main(environ: Mapping[str, str], *, quick: bool = False, keep: bool = False, relearn: bool = False) -> int:
    """Run the story; returns 0 when the fault was alerted and resolved, 1 when not. Stops the stack unless `keep`."""
    progress = Progress()
    stack = Stack.from_env(environ, progress)
    was_up = all(row.state == "up" for row in stack.status() if row.name == "kafka")
    try:
        return _Story(environ, stack, progress, QUICK if quick else Lengths()).run(relearn=relearn)
    finally:
        if not keep and not was_up:
            stack.down()


class _Story:
    def __init__(self, environ: Mapping[str, str], stack: Stack, progress: Progress, lengths: Lengths) -> None:
        self._environ = environ
        self._stack = stack
        self._progress = progress
        self._lengths = lengths
        self._times = Times(begin=_now())
        ports = Ports.from_env(environ)
        self._watch = Watch(ports, kafka_bootstrap(environ), Topics.from_env(environ).anomalies)
        self._folder = Paths.from_env(environ).reports / "demo" / self._times.begin.strftime("%Y%m%dT%H%M%SZ")
        self._ports = ports

    def run(self, *, relearn: bool) -> int:
        self._bring_up(relearn=relearn)
        self._observe_normal()
        fault, alert = self._break_and_wait()
        self._await_resolution(alert)
        self._times.end = _now()
        return self._report(fault, alert)

    def _bring_up(self, *, relearn: bool) -> None:
        self._stack.up(self._stack.without_model())
        self._times.stack_up = _now()
        if relearn or not StreamConfig.from_env(self._environ).model.exists():
            self._learn()
        else:
            self._progress.note("a trained model is there and is used (./run demo --relearn learns anew)")
        self._stack.up()
        wait_for(self._progress, "the first scored line", self._scored, 120)
        self._times.first_scored = _now()
        wait_for(self._progress, "the stream to catch up", self._has_caught_up, 120)
        # What services wrote when they were stopped the last time was read only now, and may raise alerts yet.
        if self._times.learned is None:
            pass_time(self._progress, "what was written before the start is judged", SETTLE_SECONDS)
            wait_until(self._progress, "alerts about it to end", self._is_quiet, QUIET_SECONDS)

    def _learn(self) -> None:
        """Learn from all since the start: what a service says when it starts is normal, too."""
        fetching = threading.Thread(target=_fetch_connector, args=(self._environ,), daemon=True)
        fetching.start()
        pass_time(self._progress, "learning: normal traffic is written and collected", self._lengths.learn)
        fetching.join()
        train(self._environ, self._progress, since=self._times.begin)
        self._times.learned = _now()

    def _observe_normal(self) -> None:
        self._times.watch_start = _now()
        pass_time(self._progress, "normal traffic is scored; nothing should fire", self._lengths.watch)

    def _break_and_wait(self) -> tuple[Fault, FiringAlert | None]:
        self._progress.note(f"fault: stopping {TARGET}")
        start = _now()
        self._stack.stop(TARGET)
        alert = wait_until(self._progress, "the alert", lambda: self._first_alert(start), self._lengths.alert_deadline)
        if alert is not None:
            self._times.alert = alert.starts_at
            seconds = (alert.starts_at - start).total_seconds()
            self._progress.note(f"ALERT {alert.name}: {alert.summary} ({seconds:.1f} s after the fault)")
        remaining = self._lengths.broken - (_now() - start).total_seconds()
        pass_time(self._progress, f"{TARGET} stays down for a while", max(0.0, remaining))
        for incident in self._watch.incidents(start, _now())[:1]:
            self._progress.note(f"INCIDENT {incident.incident_id}: {printable(incident.explanation)}")
        self._progress.note(f"repair: starting {TARGET}")
        self._stack.start(TARGET)
        return Fault(TARGET, "process stopped", start, _now()), alert

    def _first_alert(self, start: datetime) -> FiringAlert | None:
        return next((a for a in self._watch.alerts() if a.name in LEARNED and a.starts_at >= start), None)

    def _await_resolution(self, alert: FiringAlert | None) -> None:
        if alert is None:
            return
        gone = wait_until(self._progress, "the alert to resolve", self._is_quiet, self._lengths.resolve_deadline)
        if gone:
            self._times.resolved = _now()
            self._progress.note("resolved")

    def _is_quiet(self) -> bool:
        return not any(alert.name in LEARNED for alert in self._watch.alerts())

    def _scored(self) -> bool:
        kind = SourceType.APP_CONTAINER_LOG
        return (self._watch.exported("faultline_events_scored_total", source_type=kind) or 0) > 0

    def _has_caught_up(self) -> bool:
        lag = self._watch.exported("faultline_consumer_lag_records")
        return lag is not None and lag < CAUGHT_UP_RECORDS

    def _report(self, fault: Fault, alert: FiringAlert | None) -> int:
        self._folder.mkdir(parents=True)
        journal = [asdict(fault)]
        (self._folder / "journal.json").write_text(json.dumps(journal, default=str, indent=2))
        facts = write_report(self._folder, self._watch, self._times, fault)
        found = facts["first_anomaly"]
        self._progress.note("")
        if found is not None:
            where = f"{found['service_name']}, {found['seconds_after_fault']:.1f} s after the fault"
            self._progress.note(f"first abnormal line ({where}): {printable(found['body'])[:150]}")
        self._progress.note(
            f"read {facts['read']:.0f} = scored {facts['scored']:.0f} + dead-lettered {facts['dead_lettered']:.0f};"
            f" abnormal lines before the fault: {facts['anomalies_before_fault']}"
        )
        self._progress.note(f"report: {self._folder / 'report.html'}")
        return 0 if alert is not None and self._times.resolved is not None else 1


def _fetch_connector(environ: Mapping[str, str]) -> None:
    """Fetch what the jobs will need while there is nothing else to do; the job itself reports a failure."""
    with suppress(FaultlineError):
        connector_jars(environ)


def _now() -> datetime:
    return datetime.now(UTC)
