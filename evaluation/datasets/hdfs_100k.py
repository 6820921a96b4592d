"""HDFS100K: sessions of event types, another part of the HDFS log; nothing of a line is there but its type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from evaluation.datasets.labelled import TEST, TRAIN, DatasetError, LabelledSet, parse_label
from evaluation.datasets.lines import RawLine, line_event, untimed
from evaluation.datasets.options import DatasetOptions
from evaluation.datasets.reading import read_lines
from evaluation.datasets.sessions import SessionLabel, session_set
from faultline.records import Event, Severity

FORMAT: Final = "HDFS100K"
FOLDER: Final = "hdfs"
FILE: Final = "hdfs_100k_sessions.jsonl.gz"
TEMPLATES: Final = "hdfs_100k_templates.json"
# Abnormal sessions that the origin takes out of its training part: no detector here learns from such, the supervised
# bound does.
SPLITS: Final[Mapping[str, str]] = {"train": TRAIN, "test": TEST, "dropped_anomaly_train": TRAIN}
WEAKNESSES: Final = (
    "No lines but their types, by somebody else's parser: levels, times and whatever varies are gone, so the semantic"
    " detector sees 19 texts, and a level is evidence of nothing.",
    "The split is random, not in time (the origin's 80/20): normal time cannot change between training and test, as it"
    " does for a running system. The set HDFS is split in time.",
    "The first 104,815 lines of the log: what a session did later is missing, and 159 of its sessions are in the set"
    " HDFS, too.",
    "One label a session; most anomalies are odd counts or missing events, not odd words.",
    "57 abnormal test sessions: see the intervals.",
)


def load(path: Path, options: DatasetOptions) -> LabelledSet:
    """Read both files of a folder; the texts of the event types stand for lines. Order of the file is order of time."""
    texts = _read_texts(path / TEMPLATES)
    events: list[Event] = []
    keys: list[str] = []
    labels: dict[str, SessionLabel] = {}
    for number, text in read_lines(path / FILE):
        where = f"{path / FILE}:{number}"
        session = _read_session(text, where)
        key = str(session["block_id"])
        labels[key] = SessionLabel(parse_label(str(session["label"]), where), _split(session["split"], where))
        for name in session["events"]:
            events.append(_event(len(events), _text(texts, name, where)))
            keys.append(key)
    return session_set(FORMAT, events, keys, labels, options, weaknesses=WEAKNESSES)


def _read_texts(path: Path) -> dict[str, str]:
    try:
        found = json.loads("\n".join(text for _, text in read_lines(path)))
    except ValueError as error:
        raise DatasetError(f"{path}: not JSON ({error}), expected an object of event type and text") from error
    if not isinstance(found, dict):
        raise DatasetError(f"{path}: is a {type(found).__name__}, expected an object of event type and text")
    return {str(name): str(text) for name, text in found.items()}


def _read_session(text: str, where: str) -> dict[str, Any]:
    try:
        session = json.loads(text)
    except ValueError as error:
        raise DatasetError(f"{where}: not JSON ({error}), expected block_id, label, split, events") from error
    missing = [name for name in ("block_id", "label", "split", "events") if name not in session]
    if missing:
        raise DatasetError(f"{where}: no {', '.join(missing)}, expected block_id, label, split, events")
    return dict(session)


def _split(text: str, where: str) -> str:
    if text not in SPLITS:
        raise DatasetError(f"{where}: split is {text!r}, expected one of {', '.join(SPLITS)}")
    return SPLITS[text]


def _text(texts: Mapping[str, str], name: str, where: str) -> str:
    if name not in texts:
        raise DatasetError(f"{where}: event type {name!r} is not in {TEMPLATES}, expected one of {len(texts)} there")
    return texts[name]


def _event(number: int, text: str) -> Event:
    moment = untimed(number)
    return line_event(FORMAT, number, RawLine(moment, Severity.UNSPECIFIED, text), moment)
