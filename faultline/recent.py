"""The last abnormal lines, services and sessions, as text for a terminal."""

from __future__ import annotations

from faultline.anomalies import Anomaly, AnyAnomaly, SessionAnomaly, read_anomaly
from faultline.errors import DecodeError
from faultline.kafka_io import last_messages
from faultline.printing import printable

BODY_CHARS = 160


def recent_anomalies(bootstrap: str, topic: str, count: int) -> list[str]:
    """Return one line of text for each of the last anomalies, oldest first; empty when there is none."""
    lines = []
    for message in last_messages(bootstrap, topic, count):
        try:
            lines.append(_describe(read_anomaly(message.value() or b"")))
        except DecodeError as error:
            lines.append(f"{topic}@{message.offset()}: {printable(str(error))}")
    return lines


def _describe(anomaly: AnyAnomaly) -> str:
    if isinstance(anomaly, Anomaly):
        moment, score, text = anomaly.timestamp, anomaly.score, f"{anomaly.severity} {anomaly.body}"
    elif isinstance(anomaly, SessionAnomaly):
        moment, score, text = anomaly.last, anomaly.score, anomaly.explanation
    else:
        moment, score, text = anomaly.window_end, anomaly.structured_score, anomaly.explanation
    when = moment.astimezone().strftime("%H:%M:%S")
    return f"{when}  {printable(anomaly.service_name):<12} {score:5.2f}  {printable(text)[:BODY_CHARS]}"
