from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from faultline.reporting import figure, inert, plain, write_table


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "  =1+1", "\n=1"])
def test_a_spreadsheet_runs_no_text(text: str) -> None:
    assert inert(text) == "'" + text
    assert inert(inert(text)) == inert(text)


@pytest.mark.parametrize("value", ["a=1", "", None, 7, -7.5])
def test_what_is_no_formula_stays(value: object) -> None:
    assert inert(value) is value


def test_a_table_as_parquet_and_csv(tmp_path: Path) -> None:
    write_table(tmp_path, "t", pd.DataFrame({"line": ["=1", None], "score": [1 / 3, float("nan")]}))
    assert (tmp_path / "t.csv").read_text() == "line,score\n'=1,0.333333\n,\n"
    assert pd.read_parquet(tmp_path / "t.parquet")["score"][0] == 1 / 3


def test_json_has_no_word_for_nan() -> None:
    assert plain({"a": [float("nan"), 1.0], "b": (2, "x")}) == {"a": [None, 1.0], "b": [2, "x"]}


def test_a_picture_is_written(tmp_path: Path) -> None:
    with figure(tmp_path / "p.png", 2.0, 1.0) as axes:
        axes.plot([1, 2])
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
