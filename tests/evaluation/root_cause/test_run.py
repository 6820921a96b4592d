"""Experiment 3 on small data from end to end: figures, tables, pictures and the page."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from evaluation.root_cause.curve import VERDICTS, WRONG
from evaluation.root_cause.recorded import Run
from evaluation.root_cause.replay import replay
from evaluation.root_cause.run import evaluate
from evaluation.root_cause.trainticket import load
from faultline.errors import ConfigError
from faultline.feedback import FalseAlarms
from tests.evaluation.root_cause.small_day import write_day
from tests.evaluation.root_cause.test_recorded import run  # noqa: F401 - a fixture
from tests.evaluation.root_cause.test_trainticket import FAULTS

SEED = 7


@pytest.fixture
def report(run: Run, tmp_path: Path) -> Path:  # noqa: F811 - the fixture
    day = tmp_path / "day"
    day.mkdir()
    write_day(day, FAULTS)
    facts = evaluate(run, [load(day)], tmp_path / "report", SEED)
    assert facts["report"] == str(tmp_path / "report" / "report.html")
    assert facts["summary"][0].startswith("shop: AC@1 1.000 with the kind of fault held out, wanted 0.900: reached")
    return tmp_path / "report"


def test_report_has_tables_pictures_and_facts(report: Path) -> None:
    names = {path.name for path in report.iterdir()}
    assert names == {
        *("report.html", "facts.json", "root_cause.json", "curve.png"),
        *(f"{table}.{ending}" for table in ("accuracy", "causes", "curve") for ending in ("parquet", "csv")),
        *(f"{name}-{picture}.png" for name in ("shop", "TrainTicket") for picture in ("accuracy", "ranks")),
    }
    accuracy = pd.read_parquet(report / "accuracy.parquet")
    ours = accuracy[accuracy["arm"] == "ranker"]
    assert set(ours["held_out"]) == {"kind", "service", "kind and service", "system"}
    assert set(accuracy["arm"]) >= {"guess", "error count", "first to alert", "graph only", "text only"}
    curve = pd.read_parquet(report / "curve.parquet")
    assert len(curve) == len(VERDICTS) * len(WRONG)
    facts = json.loads((report / "facts.json").read_text())
    assert {aim["reached"] for aim in facts["aims"]} == {True}
    assert facts["sets"][0]["notes"] == ["silent_failure of inventory (3) opened no incident"]


def test_page_shows_every_set_and_escapes_what_logs_say(report: Path) -> None:
    page = (report / "report.html").read_text()
    for text in ("shop: 1 incidents", "TrainTicket: 11 incidents", "opened no incident", "What verdicts change"):
        assert text in page
    assert "{{" not in page


def test_whole_run_is_replayed_with_its_labels(run: Run) -> None:  # noqa: F811 - the fixture
    (found,) = replay(run)
    assert (found.fault, found.kind, found.is_true) == (1, "silent_failure", True)
    assert replay(run, FalseAlarms((frozenset(found.patterns),))) == []
    assert replay(run, FalseAlarms((frozenset(found.patterns),), (frozenset(found.patterns),))) == [found]


def test_nothing_to_rank_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected a recorded run of \./run chaos, or a day of TrainTicket"):
        evaluate(None, [], tmp_path, SEED)
