"""What a person may say about a file to evaluate on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DatasetOptions:
    """Settings a loader may need; those that a format does not know are ignored."""

    labels: Path | None = None  # CSV: session id, label
    session: str | None = None  # regular expression that finds the session id in a line
    split: float = 0.5  # share of the units, in order of time, that train
    windows: bool = False  # judge a minute of a service; for lines that carry a time and a label
