"""Experiments are run by the real Chaos Toolkit; what they do is a file or two in a folder of the test."""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos.catalogue import Experiment
from chaos.errors import ChaosError
from chaos.toolkit import Outcome, read_journal, run_experiment

ENVIRON = {**os.environ}


def activity(kind: str, name: str, *argv: str, **more: Any) -> dict[str, Any]:
    provider = {"type": "process", "path": argv[0], "arguments": list(argv[1:])}
    return {"type": kind, "name": name, "provider": provider, **more}


def experiment(folder: Path, steady: str = "true", inject: tuple[str, ...] = ("touch", "injected")) -> Experiment:
    content = {
        "title": "a file appears",
        "description": "and goes",
        "steady-state-hypothesis": {"title": "fine", "probes": [activity("probe", "fine", steady, tolerance=0)]},
        "method": [activity("action", "inject", *inject)],
        "rollbacks": [activity("action", "roll back", "touch", "rolled-back")],
    }
    path = folder / "file.yaml"
    path.write_text(yaml.safe_dump(content))
    return Experiment("file", path, "a file appears", "", "file", "", False)


def run(folder: Path, chosen: Experiment, timeout: float = 60) -> Outcome:
    return run_experiment(chosen, folder / "file.json", ENVIRON, lambda group: None, timeout)


def test_what_was_injected_when(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    outcome = run(tmp_path, experiment(tmp_path))
    assert outcome.status == "completed" and outcome.problem == ""
    assert outcome.start is not None and outcome.end is not None
    assert before <= outcome.start <= outcome.end <= datetime.now(UTC)
    assert (tmp_path / "injected").exists() and (tmp_path / "rolled-back").exists()


def test_without_its_steady_state_nothing_is_injected(tmp_path: Path) -> None:
    outcome = run(tmp_path, experiment(tmp_path, steady="false"))
    assert (outcome.start, outcome.end) == (None, None)
    assert outcome.problem == "steady state not met: fine"
    assert not (tmp_path / "injected").exists()


def test_an_experiment_that_takes_too_long_is_rolled_back(tmp_path: Path) -> None:
    with pytest.raises(ChaosError, match="file did not end within 3 s and was ended"):
        run(tmp_path, experiment(tmp_path, inject=("sleep", "60")), timeout=3)
    assert (tmp_path / "rolled-back").exists()


def test_the_process_group_is_told_before_it_ends(tmp_path: Path) -> None:
    told = threading.Event()
    run_experiment(experiment(tmp_path), tmp_path / "file.json", ENVIRON, lambda group: told.set(), 60)
    assert told.is_set()


def journal(folder: Path, **changes: Any) -> Path:
    action = {"activity": {"type": "action", "name": "inject"}, "start": "2026-01-31T12:00:00+00:00"}
    ended = {**action, "end": "2026-01-31T12:00:09+00:00", "status": "succeeded", "output": None}
    back = {**ended, "activity": {"type": "action", "name": "roll back"}, "end": "2026-01-31T12:00:20+00:00"}
    content = {"status": "completed", "run": [ended], "rollbacks": [back]} | changes
    path = folder / "journal.json"
    path.write_text(json.dumps(content))
    return path


def test_an_action_says_when_its_change_took_effect(tmp_path: Path) -> None:
    output = {"effective_at": "2026-01-31T12:00:05+00:00"}
    told = {**json.loads(journal(tmp_path).read_text())["run"][0], "output": output}
    assert read_journal(journal(tmp_path, run=[told])).start == datetime(2026, 1, 31, 12, 0, 5, tzinfo=UTC)
    assert read_journal(journal(tmp_path)).start == datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_the_end_is_that_of_the_rollback(tmp_path: Path) -> None:
    assert read_journal(journal(tmp_path)).end == datetime(2026, 1, 31, 12, 0, 20, tzinfo=UTC)


FAILED = {"status": "failed", "exception": ["Traceback\n", "chaos.errors.TargetUnreachable: no proxy\n"]}


def test_what_could_not_be_injected_was_not(tmp_path: Path) -> None:
    failed = json.loads(journal(tmp_path).read_text())["run"][0] | FAILED
    outcome = read_journal(journal(tmp_path, run=[failed]))
    assert (outcome.start, outcome.end) == (None, None)
    assert outcome.problem == "inject: chaos.errors.TargetUnreachable: no proxy"


def test_a_rollback_that_failed_is_told_of(tmp_path: Path) -> None:
    failed = json.loads(journal(tmp_path).read_text())["rollbacks"][0] | FAILED
    outcome = read_journal(journal(tmp_path, rollbacks=[failed]))
    assert outcome.start is not None
    assert outcome.problem == "roll back: chaos.errors.TargetUnreachable: no proxy"


def test_no_journal(tmp_path: Path) -> None:
    with pytest.raises(ChaosError, match=r"journal.json: no journal .* is in .*journal.out"):
        read_journal(tmp_path / "journal.json")
