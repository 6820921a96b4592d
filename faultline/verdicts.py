"""The verdicts of topic `feedback`, as the training jobs read them: few, so that no Spark is needed."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from faultline.errors import DecodeError, SinkUnavailable
from faultline.feedback import Feedback, Pattern, learn
from faultline.kafka_io import read_topic

logger = logging.getLogger(__name__)


def read_verdicts(bootstrap: str, topic: str) -> list[Feedback]:
    """Return every verdict, each once; none, with a word in the log, where there is no such topic."""
    try:
        return decode_verdicts(message.value() or b"" for message in read_topic(bootstrap, topic))
    except SinkUnavailable as error:
        logger.warning("verdicts cannot be read, nothing is learned from them", extra={"error": str(error)})
        return []


def decode_verdicts(values: Iterable[bytes]) -> list[Feedback]:
    """Return the verdicts among some records, each once; what is none is told in the log and left out."""
    found: dict[str, Feedback] = {}
    for place, value in enumerate(values):
        try:
            verdict = Feedback.from_bytes(value)
        except DecodeError as error:
            logger.warning("a record is no verdict", extra={"record": place, "error": str(error)})
            continue
        found[verdict.feedback_id] = verdict
    return list(found.values())


def kept_abnormal(verdicts: list[Feedback]) -> frozenset[Pattern]:
    """Return the patterns that were signs of a fault: whatever comes of them, they must not become normal."""
    return frozenset(learned.pattern for learned in learn(verdicts) if not learned.normal)
