"""Metrics of the champion on labelled records."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from evaluation.champion import judge_sessions, write_metrics
from faultline.errors import TrainingDataError


def scored(split="test"):
    rows = [("a", 0, 0.1, False), ("a", 0, None, None), ("b", 1, 0.2, False), ("b", 1, 0.9, True), ("c", 0, 0.0, False)]
    frame = pd.DataFrame(rows, columns=["session", "label", "score", "is_anomaly"])
    return frame.assign(split=split, is_anomaly=frame["is_anomaly"].astype("boolean").fillna(False).astype(bool))


def test_a_session_is_as_abnormal_as_its_worst_line():
    metrics = judge_sessions(scored())
    assert (metrics["sessions"], metrics["abnormal"], metrics["lines"]) == (3, 1, 5)
    assert (metrics["f1"], metrics["auroc"]) == (1.0, 1.0)


def test_records_without_a_test_session_are_refused():
    with pytest.raises(TrainingDataError, match="the labelled records hold no test session, expected some"):
        judge_sessions(scored("train"))


def test_what_cannot_be_told_is_null(tmp_path):
    write_metrics(tmp_path / "m.json", {"f1": float("nan"), "lines": 3})
    assert json.loads((tmp_path / "m.json").read_text()) == {"f1": None, "lines": 3}
