"""The process: follows the topics, steps, tells Kafka and Alertmanager; everything it knows is in the store."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Final

from confluent_kafka import Message, Producer

from faultline.config import Topics
from faultline.errors import DecodeError, SinkUnavailable
from faultline.incidents import Incident, IncidentState
from faultline.metrics import IncidentMetrics
from incidents.kafka import TopicReader
from incidents.store import IncidentStore
from incidents.surroundings import RecentChanges
from incidents.telling import Alerts
from incidents.tracker import Arrived, Tracker

POLL_SECONDS: Final = 0.5  # an incident is opened so much later at most, and resolved
FLUSH_SECONDS: Final = 5.0

logger = logging.getLogger(__name__)


class IncidentService:
    """Runs until `stopping()`; what was read and not kept is read again at the next start."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it is made of
        self,
        store: IncidentStore,
        tracker: Tracker,
        changes: RecentChanges,
        alerts: Alerts,
        producer: Producer,
        topics: Topics,
        metrics: IncidentMetrics,
    ) -> None:
        self._store, self._tracker, self._changes = store, tracker, changes
        self._alerts, self._producer, self._topics, self._metrics = alerts, producer, topics, metrics
        self._learn = False
        for state in IncidentState:
            metrics.incidents.labels(state.value).inc(0)

    def verdicts_changed(self) -> None:
        """Have the next step go by the verdicts that are there now; may be called from any thread."""
        self._learn = True

    def run(self, anomalies: TopicReader, changes: TopicReader, stopping: Callable[[], bool]) -> None:
        """Loop; raises SinkUnavailable when the broker is away: the supervisor starts it again."""
        anomalies.seek(self._tracker.offsets)
        changes.seek({})
        while not stopping():
            self._take_changes(changes.poll(0))
            self.step([_arrived(message) for message in anomalies.poll(POLL_SECONDS)], datetime.now(UTC))
        self._producer.flush(FLUSH_SECONDS)

    def step(self, arrived: Sequence[Arrived], now: datetime) -> list[Incident]:
        """Take records in, and tell whoever wants to know; return the incidents that changed."""
        begun = monotonic()
        if self._learn:
            self._learn = False
            self._tracker.learn()
        changed = self._tracker.step(arrived, now)
        self._publish()
        ended = [incident for incident in changed if incident.state is not IncidentState.OPEN]
        self._alerts.tell([*self._store.newest(100, IncidentState.OPEN), *ended], now)
        self._count(changed, monotonic() - begun)
        return changed

    def _publish(self) -> None:
        """Send what the broker has not acknowledged, at least once, and note what it has."""
        incidents, verdicts = self._store.unpublished(), self._store.unpublished_verdicts()
        if not incidents and not verdicts:
            return
        for incident in incidents:
            self._send(self._topics.incidents, incident.incident_id, incident.to_bytes())
        for verdict in verdicts:
            self._send(self._topics.feedback, verdict.feedback_id, verdict.to_bytes())
        if self._producer.flush(FLUSH_SECONDS):
            raise SinkUnavailable(f"{self._topics.incidents}: the broker did not acknowledge", 1.0)
        self._store.mark_published(incidents)
        self._store.mark_verdicts_published(verdicts)

    def _send(self, topic: str, key: str, value: bytes) -> None:
        self._producer.produce(topic, key=key.encode(), value=value)

    def _take_changes(self, messages: Sequence[Message]) -> None:
        for message in messages:
            try:
                self._changes.take(message.value() or b"")
            except DecodeError as error:
                place = {"topic": message.topic(), "partition": message.partition(), "offset": message.offset()}
                logger.warning("a record is no change", extra={**place, "error": str(error)})

    def _count(self, changed: Sequence[Incident], seconds: float) -> None:
        for incident in changed:
            if incident.version == 1 or incident.state is not IncidentState.OPEN:
                self._metrics.incidents.labels(incident.state.value).inc()
        self._metrics.open.set(self._store.count(IncidentState.OPEN))
        self._metrics.step_seconds.set(seconds)
        self._metrics.unreadable.set(self._tracker.unreadable)
        self._metrics.called_normal.set(self._tracker.called_normal)


def _arrived(message: Message) -> Arrived:
    return Arrived(message.partition() or 0, message.offset() or 0, message.value() or b"")
