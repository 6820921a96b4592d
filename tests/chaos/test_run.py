"""A run with the real toolkit and guardian; the stack is pretended, experiments write files into the test's folder."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from chaos import run as module
from chaos.catalogue import Experiment
from chaos.plan import Item, Lengths, Plan
from chaos.records import Aborted, Evidence, Injection, NormalPeriod, append_record, read_records
from chaos.results import read_results
from chaos.run import Run
from chaos.undo import UndoLedger

SHORT = Lengths(learn=0, normal=0.2, shortest_hold=0, longest_hold=1, settle=0.1)
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def experiment(folder: Path, name: str, *, steady: bool = True, benign: bool = False) -> Experiment:
    """Write an experiment that adds its name and the hold it was told to a file."""
    path = folder / f"{name}.yaml"
    shell = f"echo {name} $FAULTLINE_CHAOS_SHORTEST_HOLD_SECONDS >> {folder / 'done'}"
    probe = {"type": "process", "path": "true" if steady else "false"}
    content = {
        "title": name,
        "description": name,
        "steady-state-hypothesis": {
            "title": "fine",
            "probes": [{"type": "probe", "name": "fine", "tolerance": 0, "provider": probe}],
        },
        "method": [
            {
                "type": "action",
                "name": "inject",
                "provider": {"type": "process", "path": "sh", "arguments": ["-c", shell]},
            }
        ],
    }
    path.write_text(yaml.safe_dump(content))
    return Experiment(name, path, name, name, name, "payments", benign)


class PretendedStack:
    """Does nothing; `learn` counts how often it was asked."""

    learned = 0

    def __init__(self, *arguments: object) -> None: ...

    def bring_up(self) -> datetime:
        return NOW

    def learn(self, since: datetime) -> None:
        type(self).learned += 1

    def follow(self) -> None: ...


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    PretendedStack.learned = 0
    monkeypatch.setattr(module, "ExperimentStack", PretendedStack)
    monkeypatch.setattr(module, "live", lambda environ, seconds, progress: None)
    monkeypatch.setattr(module, "firing_alerts", lambda port: [])
    monkeypatch.setattr(module, "highest", lambda environ, start, end: {"p95_seconds": 0.1})
    monkeypatch.setattr(
        module, "collect", lambda environ, injection, *_: Evidence(number=injection.number, during={}, before={})
    )
    environ = {"FAULTLINE_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(module_root())}

    def make(*experiments: Experiment) -> Run:
        items = tuple(Item(number, e.name, 1, 0.0) for number, e in enumerate(experiments, start=1))
        plan = Plan("r", "full", 7, 1, SHORT, items, "abc", "folder")
        return Run(plan, tmp_path, {e.name: e for e in experiments}, environ)

    return make


def module_root() -> Path:
    return Path(module.__file__).parent.parent


def records(folder: Path, name: str, kind: type[Any]) -> list[Any]:
    return read_records(folder / f"{name}.jsonl", kind)


def test_every_item_is_injected_and_written_down(made: Callable[..., Run], tmp_path: Path) -> None:
    made(experiment(tmp_path, "fault"), experiment(tmp_path, "change", benign=True)).carry_out()
    injections = records(tmp_path, "injections", Injection)
    assert [(i.number, i.experiment, i.benign) for i in injections] == [(1, "fault", False), (2, "change", True)]
    assert all(i.start <= i.end for i in injections)
    assert [e.number for e in records(tmp_path, "evidence", Evidence)] == [1, 2]
    assert sorted(path.name for path in (tmp_path / "journals").glob("*.json")) == ["001-fault.json", "002-change.json"]


def test_a_harmless_change_is_watched_as_long_as_a_fault_may_last(made: Callable[..., Run], tmp_path: Path) -> None:
    made(experiment(tmp_path, "fault"), experiment(tmp_path, "change", benign=True)).carry_out()
    assert (tmp_path / "done").read_text() == "fault 0\nchange 1\n"


def test_a_run_goes_on_behind_what_is_done(made: Callable[..., Run], tmp_path: Path) -> None:
    experiments = experiment(tmp_path, "first"), experiment(tmp_path, "second")
    done = {"kind": "first", "target": "payments", "benign": False, "repeat": 1, "start": NOW, "end": NOW}
    append_record(tmp_path / "injections.jsonl", Injection(number=1, experiment="first", **done))
    (tmp_path / "learned").touch()
    made(*experiments).carry_out()
    assert (tmp_path / "done").read_text() == "second 0\n"
    assert PretendedStack.learned == 0


def test_normal_time_is_watched_once(made: Callable[..., Run], tmp_path: Path) -> None:
    run = made(experiment(tmp_path, "fault"))
    run.carry_out()
    periods = records(tmp_path, "normal", NormalPeriod)
    assert sum((p.end - p.start for p in periods), timedelta()) >= timedelta(seconds=SHORT.normal)
    made(experiment(tmp_path, "fault")).carry_out()
    assert records(tmp_path, "normal", NormalPeriod) == periods


def test_what_cannot_reach_its_target_is_tried_again_and_named(made: Callable[..., Run], tmp_path: Path) -> None:
    made(experiment(tmp_path, "fault", steady=False), experiment(tmp_path, "other")).carry_out()
    (aborted,) = records(tmp_path, "aborted", Aborted)
    assert (aborted.number, aborted.problem) == (1, "steady state not met: fine")
    assert read_results(tmp_path).aborted == ("fault",), "the report reads what the run writes"
    assert (tmp_path / "done").read_text() == "other 0\n"


def test_a_fault_of_the_injector_itself_leaves_nothing_changed(
    made: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = UndoLedger.from_env({"FAULTLINE_HOME": str(tmp_path / "home")})

    def fail(*arguments: object) -> None:
        ledger.note("chaos.actions.processes", "resume", pid=2**22 + 1, created=0.0)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "run_experiment", fail)
    with pytest.raises(KeyboardInterrupt):
        made(experiment(tmp_path, "fault")).carry_out()
    assert ledger.pending() == []
    assert records(tmp_path, "injections", Injection) == []


def test_what_an_earlier_run_left_is_undone_first(made: Callable[..., Run], tmp_path: Path) -> None:
    ledger = UndoLedger.from_env({"FAULTLINE_HOME": str(tmp_path / "home")})
    ledger.note("chaos.actions.processes", "resume", pid=2**22 + 1, created=0.0)
    made(experiment(tmp_path, "fault")).carry_out()
    assert ledger.pending() == []


def test_prometheus_that_fails_costs_the_evidence_only(
    made: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: object) -> Evidence:
        raise httpx.ConnectError("refused")

    monkeypatch.setattr(module, "collect", refused)
    made(experiment(tmp_path, "fault")).carry_out()
    assert len(records(tmp_path, "injections", Injection)) == 1
    assert records(tmp_path, "evidence", Evidence) == []
