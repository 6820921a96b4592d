"""A site's access log nobody has labelled: three days teach, the fourth is unseen normal time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from evaluation.datasets.labelled import NORMAL, TEST, TRAIN, LabelledSet, Unreadable
from evaluation.datasets.line_units import line_set
from evaluation.datasets.options import DatasetOptions
from evaluation.datasets.reading import read_lines
from faultline.records import Event, SourceType
from feeder.nginx_access import parse_combined
from feeder.origin import Origin

FORMAT: Final = "WEB"
FOLDER: Final = "web-access"
FIRST_TEST_DAY: Final = datetime(2015, 5, 20, tzinfo=UTC)
WEAKNESSES: Final = (
    "No labels: the fourth day is taken as normal, so every alarm counts as false; a true one among them would too.",
    "Served by Apache (same line layout), no request times; the minute is always 05, so rates a minute are artificial.",
    "Crawlers, only three server errors, one small site.",
)


def load(path: Path, options: DatasetOptions) -> LabelledSet:
    """Read `access.log.gz` with the feeder's own parser; what that cannot parse stays a plain line and is counted."""
    events = [_event(number, text) for number, text in read_lines(path / "access.log.gz")]
    plain = [
        Unreadable(number, f"read as plain text: {event.attributes['parse.error']}")
        for number, event in enumerate(events, 1)
        if "parse.error" in event.attributes
    ]
    splits = [TRAIN if event.timestamp < FIRST_TEST_DAY else TEST for event in events]
    labels = [NORMAL] * len(events)
    found = line_set(FORMAT, events, labels, splits, options, weaknesses=WEAKNESSES, labelled=False, timed=True)
    return replace(found, unreadable=tuple(plain))


def _event(number: int, text: str) -> Event:
    origin = Origin(SourceType.NGINX_ACCESS, FORMAT, FORMAT, FORMAT, number, FIRST_TEST_DAY)
    return parse_combined(origin, text.encode())
