"""From micro-batch progress to metrics, on the driver: the only place where stream metrics are set."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from pyspark.sql.streaming.listener import (
    QueryIdleEvent,
    QueryProgressEvent,
    QueryStartedEvent,
    QueryTerminatedEvent,
    StreamingQueryListener,
)

from faultline.metrics import BoundedLabel, StreamMetrics
from spark.models.semantic import DETECTOR
from spark.models.session_model import DETECTOR as SESSION
from spark.models.structured import DETECTOR as STRUCTURED
from spark.streams import JOINED, OUTCOMES

logger = logging.getLogger(__name__)


class MetricsListener(StreamingQueryListener):
    """Turns each committed micro-batch into counter increments; read = scored + dead-lettered."""

    def __init__(self, metrics: StreamMetrics, clock: Callable[[], float] = time.time) -> None:
        self._metrics = metrics
        self._clock = clock
        self._service = BoundedLabel()

    def onQueryStarted(self, event: QueryStartedEvent) -> None:
        logger.info("stream started", extra={"query": event.name})

    def onQueryProgress(self, event: QueryProgressEvent) -> None:
        progress = event.progress
        self._metrics.batch_seconds.set(progress.durationMs.get("triggerExecution", 0) / 1000)
        self._metrics.batches.inc()
        for source in progress.sources:
            self._set_lag(source.endOffset, source.latestOffset)
        row = progress.observedMetrics.get(OUTCOMES)
        if row is not None and row["read"]:
            self.count(row.asDict(recursive=True))
        joined = progress.observedMetrics.get(JOINED)
        if joined is not None:
            self.count_joined(joined.asDict(recursive=True))

    def onQueryIdle(self, event: QueryIdleEvent) -> None:
        pass

    def onQueryTerminated(self, event: QueryTerminatedEvent) -> None:
        logger.info("stream ended", extra={"error": event.exception})

    def count(self, totals: Mapping[str, Any]) -> None:
        """Add one micro-batch's counts, as `streams.observe_outcomes` names them."""
        metrics = self._metrics
        metrics.read.inc(totals["read"])
        metrics.unknown_templates.inc(totals["unknown"])
        for name, lines in totals.items():
            if name.startswith("scored:") and lines:
                metrics.scored.labels(name.removeprefix("scored:"), DETECTOR).inc(lines)
        for reason, records in Counter(totals["reasons"]).items():
            metrics.dead_lettered.labels(reason).inc(records)
        if totals["oldest_micros"] is not None:
            metrics.event_delay.set(max(0.0, self._clock() - totals["oldest_micros"] / 1e6))

    def count_joined(self, totals: Mapping[str, Any]) -> None:
        """Add one micro-batch's anomalies, as `streams.observe_joined` names them."""
        self._count_anomalies(totals["anomalies"])
        metrics = self._metrics
        gauges = {
            "services": metrics.services,
            "late": metrics.late,
            "left_out": metrics.left_out,
            "recoveries": metrics.recoveries,
            "accepted": metrics.accepted,
            "sessions_open": metrics.sessions_open,
            "sessions_late": metrics.sessions_late,
            "sessions_early": metrics.sessions_early,
            "sessions_accepted": metrics.sessions_accepted,
        }
        for name, gauge in gauges.items():
            if totals.get(name) is not None:  # a model without sessions counts none
                gauge.set(totals[name])

    def _count_anomalies(self, anomalies: list[Mapping[str, Any]]) -> None:
        highest: dict[tuple[str, str], float] = {}
        for anomaly in anomalies:
            labels = (self._service(anomaly["service_name"]), anomaly["detector"])
            self._metrics.anomalies.labels(*labels).inc()
            highest[labels] = max(highest.get(labels, 0.0), anomaly["score"])
        for labels, score in highest.items():
            self._metrics.anomaly_score.labels(*labels).set(score)

    def announce(self, manifest: Mapping[str, Any]) -> None:
        """Export the model in use, and a zero for each service it knows, so that a first anomaly is a rise."""
        self._metrics.model.clear()  # a champion follows another
        self._metrics.model.labels(DETECTOR, manifest["version"]).set(1)
        self._metrics.model_trained.set(datetime.fromisoformat(manifest["trained_at"]).timestamp())
        for service in manifest["services"]:
            for detector in (DETECTOR, STRUCTURED, SESSION):
                self._metrics.anomalies.labels(self._service(service), detector).inc(0)

    def _set_lag(self, end: str | None, latest: str | None) -> None:
        ends = _offsets(end)
        for partition, offset in _offsets(latest).items():
            self._metrics.lag.labels(partition).set(max(0, offset - ends.get(partition, offset)))


def _offsets(text: str | None) -> dict[str, int]:
    """Return partition -> offset of the one topic that is read; nothing when Spark does not know, or says "None"."""
    if text in (None, "", "None"):
        return {}
    (offsets,) = json.loads(text).values()
    return dict(offsets)
