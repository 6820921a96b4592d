"""`./run chaos`: what a user asks for, made a run with a folder of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from chaos.catalogue import FOLDER, Experiment, load_all
from chaos.errors import ChaosError
from chaos.plan import QUICK, Lengths, Plan, draw_items
from chaos.report import write_report
from chaos.run import Run, only_run
from chaos.stack import experiment_environment
from chaos.undo import UndoLedger
from faultline.config import REPOSITORY, Environ, Paths
from faultline.errors import ConfigError

# A crash, a fault that only slows, and a harmless change: what each of the three sides is good and bad at.
QUICK_EXPERIMENTS: Final = ("process_killed", "slow_dependency", "new_log_line")
REPEATS: Final = 5


@dataclass(frozen=True)
class Options:
    """The options of the verb, None where nothing was said."""

    quick: bool = False
    resume: bool = False
    only: tuple[str, ...] = ()
    repeats: int | None = None
    normal_minutes: float | None = None
    learn_minutes: float | None = None
    seed: int = 7
    folder: Path | None = None
    listing: bool = False
    roll_back: bool = False
    reporting: bool = False
    keep: bool = False


def main(environ: Environ, options: Options) -> int:
    """Carry the wish out; returns the exit status. Raises ChaosError before anything is touched."""
    if options.roll_back:
        return _roll_back(environ)
    if options.reporting:
        return _report(newest_run(environ, unfinished=False))
    experiments = load_all(options.folder or FOLDER)
    if options.listing:
        return _list(experiments)
    return _inject(environ, options, experiments)


def _inject(environ: Environ, options: Options, experiments: Mapping[str, Experiment]) -> int:
    with only_run(environ):
        folder = newest_run(environ, unfinished=True) if options.resume else None
        plan = Plan.read(folder) if folder else make_plan(options, experiments, datetime.now(UTC))
        folder = folder or Paths.from_env(environ).reports / "chaos" / plan.run
        if plan.folder != str(options.folder or FOLDER):
            experiments = load_all(Path(plan.folder))
        run = Run(plan, folder, experiments, experiment_environment(environ, plan.run))
        if not options.resume:
            run.stack.require_down()
            folder.mkdir(parents=True)
            plan.write(folder)
        try:
            _carry_out(run, folder)
        finally:
            if not options.keep:
                run.stack.down()
    return 0


def _carry_out(run: Run, folder: Path) -> None:
    """Do what is left of a run; however that ends, report what there is."""
    try:
        run.carry_out()
        (folder / "finished").touch()
    finally:
        _report(folder)


def make_plan(options: Options, experiments: Mapping[str, Experiment], now: datetime) -> Plan:
    """Return the plan that the options ask for; raises ConfigError for an unknown experiment."""
    names = options.only or (QUICK_EXPERIMENTS if options.quick else tuple(experiments))
    for name in names:
        if name not in experiments:
            raise ConfigError("experiment", name, f"one of {', '.join(experiments)}")
    lengths = _lengths(options)
    repeats = options.repeats or (1 if options.quick else REPEATS)
    return Plan(
        run=now.strftime("%Y%m%dT%H%M%SZ"),
        mode="quick" if options.quick else "full",
        seed=options.seed,
        repeats=repeats,
        lengths=lengths,
        items=draw_items({name: experiments[name] for name in names}, repeats, options.seed),
        version=revision(),
        folder=str(options.folder or FOLDER),
    )


def revision() -> str:
    """Return the commit that runs, empty when this is no clone: a run can be repeated by it."""
    argv = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""


def _lengths(options: Options) -> Lengths:
    lengths = QUICK if options.quick else Lengths()
    if options.normal_minutes is not None:
        lengths = replace(lengths, normal=options.normal_minutes * 60)
    if options.learn_minutes is not None:
        lengths = replace(lengths, learn=options.learn_minutes * 60)
    return lengths


def newest_run(environ: Environ, *, unfinished: bool) -> Path:
    """Return the folder of the newest run, of those not finished if asked for; ChaosError when there is none."""
    base = Paths.from_env(environ).reports / "chaos"
    runs = sorted(path.parent for path in base.glob("*/plan.json"))
    found = [run for run in runs if not (unfinished and (run / "finished").exists())]
    if not found:
        what = "run that is not finished" if unfinished else "run"
        raise ChaosError(f"{base}: no {what} in it; begin one with ./run chaos")
    return found[-1]


def _roll_back(environ: Environ) -> int:
    with only_run(environ):
        done = UndoLedger.from_env(environ).undo_all()
    print("\n".join(f"undone: {undone}" for undone in done) or "nothing was left to undo")
    return 0


def _list(experiments: Mapping[str, Experiment]) -> int:
    width = max(map(len, experiments))
    for name, experiment in sorted(experiments.items(), key=lambda pair: (pair[1].benign, pair[0])):
        kind = "harmless" if experiment.benign else "fault"
        print(f"{name:<{width}}  {kind:<8}  {experiment.title}")
    return 0


def _report(folder: Path) -> int:
    facts = write_report(folder)
    print("\n".join([*facts.get("summary", ()), f"report: {folder / 'report.html'}"]))
    return 0
