"""The page, the tables, the pictures: of a whole run, of half a run, of none; and hostile text in all of them."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pandas as pd
import pytest

from chaos.plots import drawn
from chaos.records import append_record
from chaos.report import compare, write_report
from chaos.results import read_results
from tests.chaos.runs import FAULTS, injection, span, write_run

TABLES = ["reactions", "alerts", "faults", "sides", "pairs", "distractions", "normal", "strays", "misses", "aims"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    write_run(path, repeats=2, kinds=len(FAULTS))
    write_report(path)
    return path


@pytest.fixture
def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def csv_rows(folder: Path, name: str) -> list[list[str]]:
    return list(csv.reader((folder / f"{name}.csv").read_text(encoding="utf-8").splitlines(keepends=True)))


@pytest.mark.parametrize("name", TABLES)
def test_every_table_exists_twice_with_the_same_rows(folder: Path, name: str) -> None:
    stored, rows = pd.read_parquet(folder / f"{name}.parquet"), csv_rows(folder, name)
    assert rows[0] == list(stored.columns)
    assert len(rows) - 1 == len(stored)


def test_reactions_are_one_an_injection_and_side(folder: Path) -> None:
    found = pd.read_parquet(folder / "reactions.parquet")
    assert len(found) == 2 * (len(FAULTS) + 6) * 3
    assert found["start"].dt.tz is not None
    figures = pd.read_parquet(folder / "sides.parquet").set_index("side")
    assert figures.loc["ml", "detected"] == found.query("side == 'ml' and not benign")["detected"].sum()


def test_the_page_needs_nothing_beside_it(folder: Path, page: str) -> None:
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("data:image/png;base64,") == len(list(folder.glob("*.png"))) == 4 + len(FAULTS) + 6
    assert "default-src 'none'" in page


def test_the_answer_comes_first(page: str) -> None:
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert headings == [
        "The answer",
        "Fault by side",
        "What each side missed, and why",
        "Harmless changes",
        "Normal time",
        "Injection by injection",
        "How this was measured",
        "Do it again",
    ]
    assert page.count('<span class="tag">') == 8
    assert "./run chaos --seed 7" in page


def test_hostile_text_is_inert(folder: Path, page: str) -> None:
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7 * 7 }}" in page
    cells = [cell for name in TABLES for row in csv_rows(folder, name) for cell in row]
    assert any(cell.startswith("'=HYPERLINK(1)") for cell in cells)
    assert not any(cell.startswith(("=", "@", "+")) for cell in cells)


def test_facts_are_json_without_nan(folder: Path) -> None:
    text = (folder / "facts.json").read_text()
    facts = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in facts.json"))
    assert (facts["injected"], facts["planned"], facts["missing"]) == (44, 44, [])
    assert facts["summary"][0].endswith(facts["aims"][0]["value"])
    assert {row["side"] for row in facts["sides"]} == {"ml", "rules", "slo"}


def test_an_empty_folder_is_a_page_that_says_so(tmp_path: Path) -> None:
    facts = write_report(tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "Not there yet:</b> what was planned; the injections; the alerts; normal time" in page
    assert "No fault has been injected yet." in page
    assert (facts["injected"], facts["reached"]) == (0, 0)


def test_half_a_run_is_reported_as_far_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text('{"run": "half", "mode": "quick", "planned": 3}')
    append_record(tmp_path / "injections.jsonl", injection(firing_before=("slo",)))
    append_record(tmp_path / "alerts.jsonl", span(2, None, name="$x^2$ \u4e2d"))
    facts = write_report(tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "The run has not come to its end" in page
    assert "1 unknown" in page
    assert "./run chaos --quick" in page
    assert facts["pictures"]["timelines"] == {"process_killed": "timeline-01-process-killed.png"}


def test_the_same_run_gives_the_same_figures(folder: Path) -> None:
    results = read_results(folder)
    assert repr(compare(results)) == repr(compare(results))


def test_names_are_drawn_as_they_are() -> None:
    assert drawn("$x^2$ \u202e\n") == r"\$x^2\$ ??"
    assert drawn("a" * 99) == "a" * 29 + "~"
