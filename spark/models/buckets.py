"""Time buckets of counted lines."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

# Divides the alert window, so that windows are whole buckets; fine enough to split a minute of learning.
BUCKET_SECONDS: Final = 5


def bucket_of(moment: datetime) -> datetime:
    """Return the start of the bucket a time lies in.

    >>> bucket_of(datetime(2026, 1, 1, 0, 0, 9, tzinfo=UTC)).second
    5
    """
    seconds = int(moment.timestamp()) // BUCKET_SECONDS * BUCKET_SECONDS
    return datetime.fromtimestamp(seconds, UTC)
