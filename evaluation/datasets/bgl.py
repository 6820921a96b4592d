"""BGL: supercomputer log whose first field is the label, which no model may see (Oliner and Stearley, DSN 2007)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from evaluation.datasets.labelled import NORMAL, TRAIN, DatasetError, LabelledSet, parse_label
from evaluation.datasets.line_units import line_set
from evaluation.datasets.lines import line_event, read_line, untimed
from evaluation.datasets.options import DatasetOptions
from evaluation.datasets.reading import read_lines, read_table
from faultline.records import Event

FORMAT: Final = "BGL"
FOLDER: Final = "bgl"
WEAKNESSES: Final = (
    "2,000 lines sampled from 4.7 million over seven months: neighbours are hours apart, so windows, rates and"
    " sequences mean nothing; only lines are judged.",
    "46 abnormal test lines: F1 has a standard error of several points; see the intervals.",
    "Labels follow the text of the messages, so a text rule nearly is the labelling rule.",
    "592 of 800 test lines hold digits-masked text that normal training lines never had: the log drifts a lot.",
)


def load(path: Path, options: DatasetOptions) -> LabelledSet:
    """Read `bgl_2k.log.gz` with its labels; the normal head of the log is extra material to train on."""
    head = [(number, text) for number, text in read_lines(path / "bgl_head_5k_normal.log.gz")]
    events = [_event(f"{FORMAT}-head", number, text) for number, text in head]
    labels, splits = [NORMAL] * len(events), [TRAIN] * len(events)
    rows = list(read_table(path / "bgl_2k_labels.csv.gz", ("label", "split")))
    lines = list(read_lines(path / "bgl_2k.log.gz"))
    if len(rows) != len(lines):
        raise DatasetError(f"{path}: {len(lines)} lines but {len(rows)} labels, expected one label a line")
    for (number, text), (row_number, row) in zip(lines, rows, strict=True):
        events.append(_event(FORMAT, number, text))
        labels.append(parse_label(row["label"], f"bgl_2k_labels.csv.gz:{row_number}"))
        splits.append(row["split"])
    return line_set(FORMAT, events, labels, splits, options, weaknesses=WEAKNESSES)


def strip_label(text: str) -> tuple[str, str]:
    """Return (first field, rest): the first field is the label and never becomes text.

    >>> strip_label("KERNDTLB 1118536327 2005.06.11 R30 data TLB error interrupt")
    ('KERNDTLB', '1118536327 2005.06.11 R30 data TLB error interrupt')
    """
    label, _, rest = text.partition(" ")
    return label, rest


def _event(name: str, number: int, text: str) -> Event:
    line = read_line(strip_label(text)[1])
    return line_event(name, number, line, line.timestamp or untimed(number), service=FORMAT)
