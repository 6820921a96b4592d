"""The page, the tables and the sentences."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pytest

from evaluation.comparison import Settings, compare
from evaluation.diagnosis import diagnose
from evaluation.findings import findings
from evaluation.report import fingerprint, write_report
from evaluation.tables import inert
from faultline.stack.progress import Progress

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, line_result, session_result):
    path = tmp_path_factory.mktemp("report")
    write_report(path, [line_result, session_result], Settings(quick=True), BEGUN, ["WEB"])
    return path


def test_everything_is_written_and_nothing_is_fetched(folder):
    page = (folder / "report.html").read_text()
    for name in ("lines-f1.png", "sessions-calibration.png", "sessions-curves.png", "arms.parquet", "lines-units.csv"):
        assert (folder / name).stat().st_size > 500, name
    assert "http" not in page.replace("http-equiv", "")
    assert "Not found, so not in this report: WEB" in page


def test_facts_are_json_without_nan(folder):
    text = (folder / "facts.json").read_text()
    facts = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in facts.json"))
    assert [found["about"]["name"] for found in facts["sets"]] == ["lines", "sessions"]


def test_parquet_and_csv_hold_the_same_rows(folder, line_result):
    arms = pd.read_parquet(folder / "arms.parquet")
    assert list(arms["arm"]) == list(pd.read_csv(folder / "arms.csv")["arm"])
    units = pd.read_parquet(folder / "lines-units.parquet")
    assert units["abnormal:combined_max"].sum() == line_result.arm("combined_max").flags.sum()


def test_log_text_stays_text(tmp_path, encoder, make_lines):
    hostile = make_lines()
    events = tuple(
        replace_body(event, "<script>alert(1)</script> burnt") if event.severity == "ERROR" else event
        for event in hostile.events
    )
    labelled = replace(
        hostile,
        events=events,
        units=tuple(
            replace(u, label=0) if u.label and u.split == "test" and i == 100 else u
            for i, u in enumerate(hostile.units)
        ),
    )
    result = compare(labelled, encoder, Settings(quick=True), Progress())
    write_report(tmp_path, [result], Settings(quick=True), BEGUN)
    page = (tmp_path / "report.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert inert("=HYPERLINK(1)") == "'=HYPERLINK(1)"


def replace_body(event, body):
    return type(event)(**{name: body if name == "body" else getattr(event, name) for name in event.__struct_fields__})


def test_a_set_without_labels_is_reported_too(tmp_path, encoder, make_lines):
    result = compare(replace(make_lines(wrong=()), labelled=False), encoder, Settings(quick=True), Progress())
    facts = write_report(tmp_path, [result], Settings(quick=True), BEGUN)
    assert facts["sets"][0]["findings"][0].startswith("No labels: every alarm counts as false. combined_max raises 0")
    assert list(facts["sets"][0]["pictures"]) == ["calibration"]


def test_a_baseline_that_is_as_good_or_better_is_said(session_result):
    text = " ".join(findings(session_result, diagnose(session_result, session_result.arm("combined_max")), 7))
    assert "Better than every trivial baseline" in text or "A trivial baseline is better" in text
    keyword = replace(session_result.arm("combined_max").metrics, f1=0.1, average_precision=0.1)
    worse = replace(
        session_result,
        arms=tuple(replace(a, metrics=keyword) if a.name == "combined_max" else a for a in session_result.arms),
    )
    text = " ".join(findings(worse, diagnose(worse, worse.arm("combined_max")), 7))
    assert (
        "A trivial baseline is better: F1 1.000 by unseen_counts (0 false alarms per 10,000 normal sessions)"
        " against 0.100" in text
    )


def test_the_combination_is_compared_with_what_it_joins(session_result, line_result):
    text = " ".join(findings(session_result, diagnose(session_result, session_result.arm("combined_max")), 7))
    assert (
        "Against the two detectors it joins, combined_max is at least as good as the better one by F1 (1.000;"
        " 0.000 by tone_minilm, 1.000 by session_counts) and at least as good" in text
    )
    worse = with_metrics(session_result, "combined_max", f1=0.4, f1_interval=(0.3, 0.5), average_precision=1.0)
    text = " ".join(findings(worse, diagnose(worse, worse.arm("combined_max")), 7))
    assert "not as good as the better one, which is outside its interval, by F1 (0.400; 0.000 by" in text
    nothing = with_metrics(worse, "session_counts", f1=0.0)
    nothing = with_metrics(nothing, "combined_max", f1=0.0)
    text = " ".join(findings(nothing, diagnose(nothing, nothing.arm("combined_max")), 7))
    assert "combined_max is as good as both by F1 (none of the three finds any) and at least" in text
    text = " ".join(findings(line_result, diagnose(line_result, line_result.arm("combined_max")), 7))
    assert "A line has no counts of its own: combined_max is tone_minilm alone" in text


def with_metrics(result, name, **values):
    arms = tuple(replace(a, metrics=replace(a.metrics, **values)) if a.name == name else a for a in result.arms)
    return replace(result, arms=arms)


def test_the_page_marks_what_streams_and_says_how_arms_were_chosen(folder):
    page = (folder / "report.html").read_text()
    assert '<td>session_counts <span class="tag">streams</span></td>' in page
    assert "some thirty combinations were tried" in page
    arms = pd.read_parquet(folder / "arms.parquet")
    assert set(arms.loc[arms["streams"], "arm"]) == {"tone_minilm", "session_counts"}


def test_misses_that_look_normal_are_counted(session_result):
    d = diagnose(session_result, session_result.arm("nearest_minilm"))
    assert (d.missed, d.missed_without_new_templates, d.missed_with_seen_counts) == (2, 2, 0)
    assert d.missed_groups[0].key == "s60"


def test_the_fingerprint_follows_the_data(make_lines):
    assert fingerprint(make_lines()) == fingerprint(make_lines())
    assert fingerprint(make_lines()) != fingerprint(make_lines(wrong=(20, 100)))
