"""HDFS: raw lines, sessions by block id, one label a block (Xu et al., SOSP 2009)."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Final

from evaluation.datasets.labelled import LabelledSet, Unreadable, parse_label
from evaluation.datasets.lines import line_event, read_line, untimed
from evaluation.datasets.options import DatasetOptions
from evaluation.datasets.reading import read_lines, read_table
from evaluation.datasets.sessions import SessionLabel, session_set
from faultline.records import Event

FORMAT: Final = "HDFS"
FOLDER: Final = "hdfs"
FILE: Final = "hdfs_2pct.log.gz"
BLOCK: Final = re.compile(r"blk_-?\d+")
WEAKNESSES: Final = (
    "One label a block, all of its lines share it: the words of a line may be harmless.",
    "Some 15 to 20 event types; most anomalies are odd counts or missing events, not odd words.",
    "Anomalies cluster in time (11 to 70 per tenth of the blocks), so other splits give other figures; published"
    " values of 0.9 and more use random splits of the whole log and do not compare.",
    "The log is cut at its end: blocks still being copied there look incomplete.",
    "Software of 2008, no metrics, no root causes.",
)


def load(path: Path, options: DatasetOptions) -> LabelledSet:
    """Read `hdfs_2pct.log.gz` and `block_labels.csv.gz` of a folder; split as the labels' file says."""
    labels = {
        row["block_id"]: SessionLabel(parse_label(row["label"], f"block_labels.csv.gz:{number}"), row["split"])
        for number, row in read_table(path / "block_labels.csv.gz", ("block_id", "label", "split"))
    }
    events: list[Event] = []
    keys: list[str] = []
    unreadable: list[Unreadable] = []
    for number, text in read_lines(path / FILE):
        found = BLOCK.search(text)
        if found is None:
            unreadable.append(Unreadable(number, "holds no block id"))
            continue
        line = read_line(text)
        events.append(line_event(FORMAT, number, line, line.timestamp or _last_time(events, number)))
        keys.append(found[0])
    return session_set(FORMAT, events, keys, labels, options, unreadable=unreadable, weaknesses=WEAKNESSES, timed=True)


def _last_time(events: list[Event], number: int) -> datetime:
    return events[-1].timestamp if events else untimed(number)
