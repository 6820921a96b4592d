"""The last abnormal lines, as text for a terminal."""

from __future__ import annotations

from faultline.errors import DecodeError
from faultline.kafka_io import last_messages
from faultline.records import Anomaly

BODY_CHARS = 100


def recent_anomalies(bootstrap: str, topic: str, count: int) -> list[str]:
    """Return one line of text for each of the last abnormal lines, oldest first; empty when there is none."""
    lines = []
    for message in last_messages(bootstrap, topic, count):
        try:
            anomaly = Anomaly.from_bytes(message.value() or b"")
        except DecodeError as error:
            lines.append(f"{topic}@{message.offset()}: {printable(str(error))}")
            continue
        when = anomaly.timestamp.astimezone().strftime("%H:%M:%S")
        text = printable(anomaly.body)[:BODY_CHARS]
        lines.append(f"{when}  {printable(anomaly.service_name):<12} {anomaly.score:4.2f}  {anomaly.severity} {text}")
    return lines


def printable(text: str) -> str:
    """Return log text without control characters: a terminal must not obey it.

    >>> printable("a\x1b[31mb")
    'a?[31mb'
    """
    return "".join(character if character.isprintable() else "?" for character in text)
