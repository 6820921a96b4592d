from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chaos import story
from chaos.catalogue import load_all
from chaos.errors import ChaosError, ExperimentError
from chaos.run import only_run
from chaos.story import QUICK_EXPERIMENTS, Options, main, make_plan, newest_run
from chaos.undo import UndoLedger
from faultline.config import REPOSITORY
from faultline.errors import ConfigError

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"FAULTLINE_HOME": str(tmp_path / "home")}


def test_a_full_run_has_each_experiment_five_times() -> None:
    experiments = load_all()
    plan = make_plan(Options(), experiments, NOW)
    assert plan.planned == 5 * len(experiments)
    assert (plan.run, plan.mode, plan.lengths.normal) == ("20260131T120000Z", "full", 1800)


def test_a_quick_run_is_three_changes() -> None:
    plan = make_plan(Options(quick=True), load_all(), NOW)
    assert sorted(item.experiment for item in plan.items) == sorted(QUICK_EXPERIMENTS)
    assert plan.mode == "quick"


def test_what_is_asked_for_is_planned() -> None:
    asked = Options(only=("process_killed",), repeats=3, normal_minutes=2, learn_minutes=1)
    plan = make_plan(asked, load_all(), NOW)
    assert [item.experiment for item in plan.items] == ["process_killed"] * 3
    assert (plan.lengths.normal, plan.lengths.learn) == (120, 60)


def test_an_unknown_experiment_is_refused() -> None:
    with pytest.raises(ConfigError, match="experiment is 'flood', expected one of bad_configuration"):
        make_plan(Options(only=("flood",)), load_all(), NOW)


def test_a_broken_experiment_is_refused_before_anything_starts(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("title: mine\ndescription: mine\nmethod: 7\n")
    with pytest.raises(ExperimentError, match=r"mine\.yaml:3: expected a list of actions"):
        main(environ, Options(folder=tmp_path))
    assert not (tmp_path / "home" / "run").exists()


def test_two_runs_at_once_are_refused(environ: dict[str, str]) -> None:
    script = "import os; from chaos.run import only_run\nwith only_run(os.environ): print('holds'); input()"
    whole = {**environ, "PYTHONPATH": str(REPOSITORY)}
    argv = [sys.executable, "-c", script]
    with subprocess.Popen(argv, env=whole, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        held = first.stdout.readline()
        try:
            with pytest.raises(ChaosError, match=rf"another ./run chaos \(pid {first.pid}\) is injecting"):
                main(environ, Options())
        finally:
            first.communicate("\n")
    assert held == "holds\n"
    with only_run(environ):
        pass  # free again


def test_a_stack_in_use_is_not_broken(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> None:
        raise ChaosError("the stack is up")

    monkeypatch.setattr(story.Run, "carry_out", lambda self: pytest.fail("it went on"))
    monkeypatch.setattr("chaos.stack.ExperimentStack.require_down", refuse)
    with pytest.raises(ChaosError, match="the stack is up"):
        main(environ, Options())


def test_a_report_that_fails_leaves_no_stack_up(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(folder: Path) -> dict[str, object]:
        raise ConfigError("injections.jsonl:1", "x", "one Injection as JSON")

    down: list[bool] = []
    monkeypatch.setattr(story.Run, "carry_out", lambda self: None)
    monkeypatch.setattr(story, "write_report", fail)
    monkeypatch.setattr("chaos.stack.ExperimentStack.require_down", lambda self: None)
    monkeypatch.setattr("chaos.stack.ExperimentStack.down", lambda self: down.append(True))
    with pytest.raises(ConfigError, match="one Injection as JSON"):
        main(environ, Options())
    assert down == [True]


def test_the_newest_run_that_is_not_finished(environ: dict[str, str]) -> None:
    for name in ("20260131T120000Z", "20260131T130000Z", "20260131T140000Z"):
        folder = Path(environ["FAULTLINE_HOME"]) / "reports" / "chaos" / name
        folder.mkdir(parents=True)
        (folder / "plan.json").touch()
    (folder / "finished").touch()
    assert newest_run(environ, unfinished=True).name == "20260131T130000Z"
    assert newest_run(environ, unfinished=False).name == "20260131T140000Z"


def test_no_run_to_go_on_with(environ: dict[str, str]) -> None:
    with pytest.raises(ChaosError, match=r"no run that is not finished in it; begin one with ./run chaos"):
        main(environ, Options(resume=True))


def test_roll_back_undoes_what_a_killed_run_left(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    UndoLedger.from_env(environ).note("chaos.actions.processes", "resume", pid=2**22 + 1, created=0.0)
    assert main(environ, Options(roll_back=True)) == 0
    assert "undone: chaos.actions.processes.resume" in capsys.readouterr().out
    main(environ, Options(roll_back=True))
    assert capsys.readouterr().out == "nothing was left to undo\n"


def test_the_list_shows_each_experiment(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(environ, Options(listing=True)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(load_all())
    assert lines[-1].split()[:2] == ["rolling_restart", "harmless"]
