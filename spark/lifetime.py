"""How a streaming query ends: in order on SIGTERM or SIGINT, loudly on a fault.

The batch that runs is cancelled and comes again at the next start: its anomalies with the same keys.
"""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType

from pyspark.errors import StreamingQueryException
from pyspark.sql.streaming.query import StreamingQuery

from faultline.errors import FaultlineError

logger = logging.getLogger(__name__)


class StreamFailed(FaultlineError):
    """The query ended by itself; the supervisor starts it again from its checkpoint."""


def await_end(query: StreamingQuery, poll_seconds: float = 0.5) -> None:
    """Block until the query ends or a signal asks it to; raises StreamFailed with the cause when it failed."""
    asked = threading.Event()

    def ask(signum: int, frame: FrameType | None) -> None:
        asked.set()

    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, ask)
    while query.isActive and not asked.wait(poll_seconds):
        pass
    if asked.is_set():
        query.stop()
        logger.info("stopped on request")
        return
    _raise_cause(query)


def _raise_cause(query: StreamingQuery) -> None:
    error: StreamingQueryException | None = query.exception()
    if error is not None:
        raise StreamFailed(f"stream {query.name} ended: {explain(str(error))}") from error


def explain(text: str) -> str:
    """Return the first lines of a query's error and, for a known cause, what to do."""
    head = "\n".join(text.strip().splitlines()[:6])[:2000]
    for sign, advice in _ADVICE:
        if sign in text:
            return f"{head}\n{advice}"
    return head


_ADVICE = (
    (
        "offset was changed from",  # "Partition logs-0 offset was changed from 10 to 0", a kind of lost data
        "The topic's offsets went backwards: was the broker wiped? Move the checkpoint folder away"
        " (FAULTLINE_CHECKPOINT) to read the topic from its beginning.",
    ),
    (
        "data may have been lost",
        "The broker no longer holds records this stream has not read (retention, or a wiped broker). Nothing is"
        " skipped silently: to accept the gap and go on, move the checkpoint folder away (FAULTLINE_CHECKPOINT).",
    ),
    ("No space left on device", "The disk is full: free space; the stream goes on from its checkpoint."),
    ("Incomplete log file", "The checkpoint is damaged: move its folder away (FAULTLINE_CHECKPOINT)."),
)
