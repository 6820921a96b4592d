"""What reports have in common: tables as files, pictures, and values as JSON and spreadsheets take them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def write_table(folder: Path, name: str, table: pd.DataFrame) -> None:
    """Write a table as Parquet, and as CSV that a spreadsheet does not run."""
    table.to_parquet(folder / f"{name}.parquet", index=False)
    rounded = {column: table[column].astype(float).round(6) for column in table.select_dtypes("float").columns}
    texts = {column: table[column].map(inert) for column in table.select_dtypes("object").columns}
    table.assign(**rounded, **texts).to_csv(folder / f"{name}.csv", index=False)


def inert(value: Any) -> Any:
    """Keep a spreadsheet from running text as a formula (OWASP: CSV injection); what is no text stays as it is.

    >>> inert("=HYPERLINK(1)")
    "'=HYPERLINK(1)"
    """
    if isinstance(value, str) and value.lstrip(" \n").startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return value


def plain(value: Any) -> Any:
    """Replace NaN, which JSON has no word for, by null, in whatever is nested."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and isnan(value) else value


@contextmanager
def figure(path: Path, width: float = 7.5, height: float = 4.5) -> Iterator[Any]:
    """Give axes, in inches, on white, so that the picture can be read on a dark page, too; write them as PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    drawn, axes = plt.subplots(figsize=(width, height), layout="constrained")
    axes.spines[["top", "right"]].set_visible(False)
    yield axes
    drawn.savefig(path, dpi=110)
    plt.close(drawn)
