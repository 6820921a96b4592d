"""What is evaluated on which command, end to end on small files."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from evaluation import run
from evaluation.datasets.labelled import DatasetError
from faultline.cli import main


def test_a_path_tells_its_format(hdfs):
    assert run.guess_format(hdfs / "hdfs") == "HDFS"
    assert run.guess_format(Path("a.jsonl.gz")) == "JSONL"
    assert run.guess_format(Path("Thunderbird_2k.log")) == "LOGHUB"


def test_without_a_path_all_public_sets_are_taken(hdfs, bgl, monkeypatch):
    monkeypatch.setattr(run, "PUBLIC", hdfs)
    targets = run.choose_targets(None, None)
    assert list(targets) == ["BGL", "HDFS"]
    assert run.missing_sets(targets) == ["HDFS100K", "TRAINTICKET", "WEB"]
    assert list(run.choose_targets(None, "HDFS")) == ["HDFS"]


def test_two_sets_of_one_folder_are_told_apart_by_their_files(hdfs_100k, monkeypatch):
    monkeypatch.setattr(run, "PUBLIC", hdfs_100k)
    assert list(run.choose_targets(None, "HDFS100K")) == ["HDFS100K"]


def test_without_public_sets_the_command_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "PUBLIC", tmp_path / "data")
    with pytest.raises(DatasetError) as caught:
        run.choose_targets(None, None)
    assert str(caught.value) == (
        f"{tmp_path}/data: no public set is there, expected folders bgl, hdfs, nezha-trainticket, web-access with their"
        " README; or name a file: ./run evaluate PATH --format LOGHUB"
    )


def test_the_verb_judges_any_labelled_log(tmp_path, write, encoder, monkeypatch, capsys):
    monkeypatch.setenv("FAULTLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(run, "ensure_encoder", lambda folder: (encoder, "v"))
    lines = [f"- {1131566461 + i} dn{i} crond[{i}]: session closed" for i in range(60)]
    lines[50] = "ALERT 1131566511 dn1 kernel: disk 7 does not answer"
    log = write(tmp_path / "a b#1.log", *lines)
    assert main(["evaluate", str(log), "--quick", "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "report.html").is_file()
    assert (tmp_path / "out" / "a_b_1.log-f1.png").is_file()
    assert "a b#1.log: combined_max precision 1.000, recall 1.000, F1 1.000" in capsys.readouterr().out


def test_the_verb_says_what_is_wrong(tmp_path, write, encoder, monkeypatch, capsys):
    monkeypatch.setattr(run, "ensure_encoder", lambda folder: (encoder, "v"))
    monkeypatch.setenv("FAULTLINE_HOME", str(tmp_path / "home"))
    assert main(["evaluate", str(write(tmp_path / "a.log", "INFO one")), "--out", str(tmp_path / "out")]) == 1
    assert "expected a label as first field, '-' for normal" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_verb_judges_minutes_of_services(tmp_path, write, encoder, monkeypatch, capsys):
    monkeypatch.setenv("FAULTLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(run, "ensure_encoder", lambda folder: (encoder, "v"))
    rows = [
        {
            "timestamp": f"2026-01-01T00:{second // 60:02d}:{second % 60:02d}Z",
            "message": "card reader burnt" if service == "pay" and 1500 <= second < 1560 else "paid",
            "label": int(service == "pay" and 1500 <= second < 1560),
            "service": service,
        }
        for second in range(0, 1800, 5)
        for service in ("pay", "shop")
    ]
    log = write(tmp_path / "a.jsonl", *map(json.dumps, rows))
    assert main(["evaluate", str(log), "--windows", "--quick", "--out", str(tmp_path / "out")]) == 0
    assert "a.jsonl: combined_max precision" in capsys.readouterr().out
    arms = pd.read_parquet(tmp_path / "out" / "arms.parquet").set_index("arm")
    assert arms.loc["structured", ["unit", "abnormal_units", "auroc"]].tolist() == ["window", 1, 1.0]
