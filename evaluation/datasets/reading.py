"""Read text and tables, packed or not; say the file and the line when something is wrong."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from evaluation.datasets.labelled import DatasetError


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (number from 1, line) of a text file, gz accepted; bytes that are not UTF-8 become U+FFFD.

    Raises DatasetError when there is no such file, or when it is damaged.
    """
    if not path.is_file():
        raise DatasetError(f"{path} is no file, expected a log file; check the path")
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8", errors="replace", newline="\n") as file:
            for number, line in enumerate(file, 1):
                yield number, line.rstrip("\r\n")
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path}: cannot be read to the end ({error}); fetch or pack it again") from error


def read_table(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, row) of a CSV file with a header; raises DatasetError when a column is missing."""
    csv.field_size_limit(2**30)
    reader = csv.DictReader(line for _, line in read_lines(path))
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        raise DatasetError(f"{path}:1: columns are {reader.fieldnames}, expected {', '.join(columns)} among them")
    for row in reader:
        if any(row.get(name) is None for name in columns):
            raise DatasetError(f"{path}:{reader.line_num}: {len(row)} fields, expected {len(reader.fieldnames or ())}")
        yield reader.line_num, row
