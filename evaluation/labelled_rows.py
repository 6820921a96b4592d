"""Labelled records as Parquet rows: from a public set, or from topic logs and an injector's journal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self

import pyarrow as pa

from evaluation import datasets
from evaluation.datasets.labelled import ABNORMAL, NO_UNIT, NORMAL, TEST, TRAIN, DatasetError, LabelledSet
from evaluation.datasets.options import DatasetOptions
from evaluation.datasets.service_windows import Fault
from faultline.config import Paths
from faultline.errors import ConfigError, DecodeError
from faultline.records import Event

ROW_SCHEMA: Final = pa.schema(
    [
        ("value", pa.binary()),  # an Event as topic logs holds it
        ("label", pa.int8()),
        ("session", pa.string()),  # what the label belongs to
        ("split", pa.string()),
        ("unit", pa.string()),  # line, session or window
        ("target", pa.string()),  # what the injector broke; empty for a public set
    ]
)
WINDOW_SECONDS: Final = 15  # normal time of a journal is judged in pieces of this length
# A stopped service comes back with lines of its own, and callers empty their queues: neither normal nor the fault.
SETTLING: Final = timedelta(seconds=30)


@dataclass(frozen=True)
class LabelledParquetConfig:
    """Settings of the job test_labeled_parquet."""

    dataset: Path  # Parquet folder to write
    source: str  # a format of evaluation/datasets, or "journal"
    path: Path  # of the set, or of journal.json

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read FAULTLINE_LABELLED, FAULTLINE_LABELLED_FORMAT and FAULTLINE_LABELLED_PATH; raises ConfigError."""
        source, path = environ.get("FAULTLINE_LABELLED_FORMAT", "journal"), environ.get("FAULTLINE_LABELLED_PATH")
        known = ["journal", *datasets.loaders()]
        if source not in known:
            raise ConfigError("FAULTLINE_LABELLED_FORMAT", source, f"one of {', '.join(known)}")
        if not path:
            raise ConfigError(
                "FAULTLINE_LABELLED_PATH", path, "a public set's folder, a labelled log, or a journal.json"
            )
        return cls(labelled_dataset(environ), source, Path(path))


def labelled_dataset(environ: Mapping[str, str]) -> Path:
    """Return the Parquet folder of labelled records: FAULTLINE_LABELLED, or its place below FAULTLINE_HOME."""
    return Path(environ.get("FAULTLINE_LABELLED", str(Paths.from_env(environ).datasets / "labelled")))


def set_table(source: str, path: Path) -> pa.Table:
    """Return a public set or labelled file as ROW_SCHEMA rows; lines of no unit are left out."""
    return to_table(datasets.load(path, source, DatasetOptions()))


def to_table(labelled: LabelledSet) -> pa.Table:
    """Return ROW_SCHEMA rows of a set."""
    pairs = [(e, labelled.units[u]) for e, u in zip(labelled.events, labelled.unit_of, strict=True) if u != NO_UNIT]
    columns = {
        "value": [event.to_bytes() for event, _ in pairs],
        "label": [unit.label for _, unit in pairs],
        "session": [unit.key for _, unit in pairs],
        "split": [unit.split for _, unit in pairs],
        "unit": [labelled.kind.value] * len(pairs),
        "target": [""] * len(pairs),
    }
    return pa.table(columns, ROW_SCHEMA)


def read_journal(path: Path) -> list[Fault]:
    """Read what an injector broke, in order of time; raises DatasetError with the entry that is not as expected."""
    try:
        entries = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: no journal ({error}), expected a JSON list; ./run demo writes one") from error
    faults = [_fault(path, number, entry) for number, entry in enumerate(entries)]
    if not faults:
        raise DatasetError(f"{path}: holds no fault, expected at least one; nothing could be labelled abnormal")
    return sorted(faults, key=lambda fault: fault.start)


def _fault(path: Path, number: int, entry: object) -> Fault:
    try:
        fields = dict(entry)  # type: ignore[call-overload]
        start, end = (datetime.fromisoformat(str(fields[name])) for name in ("start", "end"))
        if start.tzinfo is None or end.tzinfo is None or end < start:
            raise ValueError("start and end need a zone, and end follows start")
        return Fault(str(fields["target"]), start, end)
    except (KeyError, TypeError, ValueError) as error:
        text = f"{path}: entry {number} is {entry!r} ({error}), expected target, start and end"
        raise DatasetError(text) from error


def label_batch(faults: Sequence[Fault], batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return ROW_SCHEMA rows of records (column `value`): label by time, never by words.

    A fault labels the time, for every service: which others feel it is what a detector has to find out, and a line of
    one that does not is not wrong for being normal, so the unit is the whole fault, and a piece of normal time.
    Records that cannot be decoded, and those of SETTLING after a repair, belong to no unit and are left out.
    """
    rows = [row for value in batch.column("value").to_pylist() if (row := _row(faults, value)) is not None]
    return pa.RecordBatch.from_pylist(rows, ROW_SCHEMA)


def _row(faults: Sequence[Fault], value: bytes) -> dict[str, object] | None:
    try:
        moment = Event.from_bytes(value).timestamp
    except DecodeError:
        return None
    for number, fault in enumerate(faults):
        if fault.start <= moment <= fault.end:
            return _fields(value, ABNORMAL, f"fault:{number}", TEST, fault.target)
        if fault.end < moment <= fault.end + SETTLING:
            return None
    piece = int(moment.timestamp()) // WINDOW_SECONDS * WINDOW_SECONDS
    return _fields(value, NORMAL, f"normal:{piece}", TRAIN if moment < faults[0].start else TEST, "")


def _fields(value: bytes, label: int, session: str, split: str, target: str) -> dict[str, object]:
    return {"value": value, "label": label, "session": session, "split": split, "unit": "window", "target": target}
