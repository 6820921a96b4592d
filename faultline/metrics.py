"""Every metric the project exposes, in one place: name, help, labels, buckets.

Labels are closed sets, or bounded by `BoundedLabel`; never an id or a message.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from faultline.errors import StackError

MAX_SERVICES = 200  # one time series each per metric; services beyond are counted under "other"


class BoundedLabel:
    """Let the first `limit` distinct values through and fold the rest into "other"."""

    def __init__(self, limit: int = MAX_SERVICES) -> None:
        self._limit = limit
        self._seen: set[str] = set()

    def __call__(self, value: str) -> str:
        if value not in self._seen:
            if len(self._seen) >= self._limit:
                return "other"
            self._seen.add(value)
        return value


class FeederMetrics:
    """What the feeder has read, sent and kept back."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.lines_read = Counter(
            "faultline_feeder_lines_read_total", "Lines or samples read.", ["source_type"], registry=registry
        )
        self.records_acknowledged = Counter(
            "faultline_feeder_records_acknowledged_total",
            "Records the broker has acknowledged.",
            ["source_type"],
            registry=registry,
        )
        self.dead_lettered = Counter(
            "faultline_feeder_dead_lettered_total",
            "Pieces of lines set aside because they were too long.",
            ["source_type", "reason"],
            registry=registry,
        )
        self.unread_bytes = Gauge(
            "faultline_feeder_unread_bytes", "Bytes written to watched files and not read yet.", registry=registry
        )
        self.watched_files = Gauge("faultline_feeder_watched_files", "Files being tailed.", registry=registry)
        self.source_errors = Counter(
            "faultline_feeder_source_errors_total",
            "Reads of a source that failed.",
            ["source_type"],
            registry=registry,
        )

    def count_source_error(self, source_type: str) -> None:
        """Count one read that failed; may be called from any thread."""
        self.source_errors.labels(source_type).inc()


class StreamMetrics:
    """What the streaming job has read and what became of it: read = scored + dead-lettered."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.read = Counter("faultline_events_read_total", "Records read from topic logs.", registry=registry)
        self.scored = Counter(
            "faultline_events_scored_total", "Records scored.", ["source_type", "detector"], registry=registry
        )
        self.dead_lettered = Counter(
            "faultline_events_dead_lettered_total", "Records set aside.", ["reason"], registry=registry
        )
        self.anomalies = Counter(
            "faultline_anomalies_total",
            "Called abnormal: lines (detector semantic), seconds of a service (structured), sessions (session).",
            ["service_name", "detector"],
            registry=registry,
        )
        self.anomaly_score = Gauge(
            "faultline_anomaly_score_max",
            "Highest anomaly score of the last micro-batch in which the service was abnormal.",
            ["service_name", "detector"],
            registry=registry,
        )
        self.unknown_templates = Counter(
            "faultline_unknown_template_events_total",
            "Scored lines whose template was never seen in training.",
            registry=registry,
        )
        self.batch_seconds = Gauge(
            "faultline_batch_duration_seconds", "Duration of the last micro-batch.", registry=registry
        )
        self.batches = Counter("faultline_batches_total", "Micro-batches committed.", registry=registry)
        self.lag = Gauge(
            "faultline_consumer_lag_records", "Records in topic logs not read yet.", ["partition"], registry=registry
        )
        self.event_delay = Gauge(
            "faultline_event_delay_seconds",
            "From reading a line to its score being exported, slowest line of the last micro-batch.",
            registry=registry,
        )
        self.services = Gauge("faultline_services", "Services whose windows are kept.", registry=registry)
        self.late = Gauge(
            "faultline_late_events", "Lines too late for their window since the state began.", registry=registry
        )
        self.left_out = Gauge(
            "faultline_left_out_events",
            "Lines of services beyond those whose windows are kept, since the state began.",
            registry=registry,
        )
        self.sessions_open = Gauge("faultline_open_sessions", "Sessions that are not over.", registry=registry)
        self.sessions_late = Gauge(
            "faultline_late_sessions",
            "Sessions not judged because their first line came late, since the state began.",
            registry=registry,
        )
        self.sessions_early = Gauge(
            "faultline_sessions_closed_early",
            "Sessions closed before they were over because too many were open, since the state began.",
            registry=registry,
        )
        self.sessions_accepted = Gauge(
            "faultline_accepted_sessions",
            "Abnormal sessions that kept coming until they were normal, since the state began.",
            registry=registry,
        )
        self.recoveries = Gauge(
            "faultline_recoveries",
            "Lasting changes of a service that became normal, since the state began.",
            registry=registry,
        )
        self.accepted = Gauge(
            "faultline_accepted_lines",
            "Lines of templates that were abnormal for so long that they became normal, since the state began.",
            registry=registry,
        )
        self.model = Gauge(
            "faultline_model_info", "1 for the model version in use.", ["detector", "version"], registry=registry
        )
        self.model_rejected = Counter(
            "faultline_model_rejected_total",
            "Champions that were refused; the model in use went on.",
            ["reason"],
            registry=registry,
        )
        self.model_trained = Gauge(
            "faultline_model_trained_timestamp_seconds", "When the model in use was trained.", registry=registry
        )


class IncidentMetrics:
    """What became of anomalies."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.incidents = Counter(
            "faultline_incidents_total", "Incidents opened, resolved and merged.", ["state"], registry=registry
        )
        self.open = Gauge("faultline_incidents_open", "Incidents that are open.", registry=registry)
        self.step_seconds = Gauge(
            "faultline_incident_step_seconds", "Time of the last step: grouping, ranking, telling.", registry=registry
        )
        self.unreadable = Gauge(
            "faultline_incident_unreadable_records", "Records of topic anomalies that are none.", registry=registry
        )
        self.called_normal = Gauge(
            "faultline_incident_anomalies_called_normal", "Anomalies that verdicts call normal.", registry=registry
        )


def serve(registry: CollectorRegistry, port: int, host: str = "127.0.0.1") -> None:
    """Answer GET /metrics on loopback; raises StackError when the port is taken."""
    try:
        start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        text = (
            f"metrics cannot be served on {host}:{port}: {error.strerror}; free the port or set FAULTLINE_PORT_<NAME>"
        )
        raise StackError(text) from error
