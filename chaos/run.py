"""One run of the experiment: learn, watch normal time, inject one fault after the other, report."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

import httpx

from chaos.actions.holding import BEGUN, LONGEST, SHORTEST
from chaos.catalogue import Experiment
from chaos.errors import ChaosError, RollbackFailed
from chaos.evidence import collect, highest
from chaos.guardian import Guardian, guarded
from chaos.learning import live
from chaos.plan import Item, Plan
from chaos.recorder import Recorder
from chaos.records import Aborted, Injection, NormalPeriod, append_record, read_records
from chaos.stack import ExperimentStack
from chaos.toolkit import Outcome, run_experiment
from chaos.undo import UndoLedger
from faultline.alerts import firing_alerts
from faultline.config import Environ, Paths, Ports
from faultline.stack.exclusive import try_lock
from faultline.stack.progress import Progress
from faultline.stack.waiting import pass_time, wait_until

NORMAL_PIECE_SECONDS: Final = 60.0  # a run that is killed loses at most so much of the normal time it has watched
ATTEMPTS: Final = 2  # of an injection that could not begin
ROLLBACK_SECONDS: Final = 180.0
SETTLING_SIDES: Final = {"ml", "rules"}  # the windows of slo last longer than a run can wait


@contextmanager
def only_run(environ: Environ) -> Iterator[None]:
    """Hold the lock of the injector of this stack; ChaosError at once when another run holds it."""
    path = Paths.from_env(environ).home / "chaos" / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        if not try_lock(file.fileno()):
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise ChaosError(f"another ./run chaos (pid {holder}) is injecting; wait for it, or stop it")
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


class Run:
    """Carries a plan out, from wherever its folder says it had come."""

    def __init__(self, plan: Plan, folder: Path, experiments: Mapping[str, Experiment], environ: Environ) -> None:
        self._plan, self._folder, self._experiments = plan, folder, experiments
        self._environ = environ
        self._ledger = UndoLedger.from_env(environ)
        self._progress = Progress()
        self.stack = ExperimentStack(environ, self._progress)
        self._normal_highest: dict[str, float] | None = None

    def carry_out(self) -> None:
        """Do what is left of the plan; on the way out, however it comes, everything is undone."""
        with guarded(self._environ) as guardian:
            try:
                self._undo("left behind by an earlier run")
                self._learn()
                port = Ports.from_env(self._environ).alertmanager
                with Recorder(self._folder, lambda: firing_alerts(port)) as recorder:
                    self._watch_normal(recorder)
                    self._inject_all(recorder, guardian)
                    self._settle(recorder)
            finally:
                self._undo("undone at the end")

    def _undo(self, why: str) -> None:
        for undone in self._ledger.undo_all():
            self._progress.note(f"{why}: {undone}")

    def _learn(self) -> None:
        """Bring the stack up; learn unless this run has."""
        marker = self._folder / "learned"
        since = self.stack.bring_up()
        if not marker.exists():
            live(self._environ, self._plan.lengths.learn, self._progress)
            self.stack.learn(since)
            marker.write_text(f"{since.isoformat()} {datetime.now(UTC).isoformat()}\n")
        self.stack.follow()

    def _watch_normal(self, recorder: Recorder) -> None:
        """Watch normal traffic until there is as much as planned."""
        self._settle(recorder)
        path = self._folder / "normal.jsonl"
        while (left := self._plan.lengths.normal - _seconds(read_records(path, NormalPeriod))) > 0:
            start = datetime.now(UTC)
            text = f"normal traffic, nothing should fire ({left:.0f} s left, then {self._left_text()})"
            pass_time(self._progress, text, min(left, NORMAL_PIECE_SECONDS))
            append_record(path, NormalPeriod(start=start, end=datetime.now(UTC)))

    def _inject_all(self, recorder: Recorder, guardian: Guardian) -> None:
        for item in self._left():
            self._progress.note(f"[{item.number}/{self._plan.planned}] {self._left_text()}")
            for left in reversed(range(ATTEMPTS)):
                problem = self._attempt(item, recorder, guardian)
                if not problem:
                    break
                self._progress.note(f"  not injected: {problem}{'; once more' if left else ''}")
            else:
                aborted = Aborted(number=item.number, experiment=item.experiment, problem=problem)
                append_record(self._folder / "aborted.jsonl", aborted)

    def _attempt(self, item: Item, recorder: Recorder, guardian: Guardian) -> str:
        """Inject when the alerts of before have ended; return why nothing was injected, empty when it was."""
        self._settle(recorder)
        pass_time(self._progress, "a random pause", item.gap_seconds)
        # A ticket that outlives its fault by half an hour tells nobody of the next one, nor keeps anybody from it.
        firing_before = recorder.sides_firing(("page",))
        try:
            outcome = self._experiment(item, guardian)
        except RollbackFailed:
            raise
        except ChaosError as error:
            return str(error)
        if outcome.start is None or outcome.end is None:
            return outcome.problem
        if outcome.problem:
            self._progress.note(f"  {outcome.problem}")
        self._keep(item, outcome.start, outcome.end, firing_before)
        return ""

    def _experiment(self, item: Item, guardian: Guardian) -> Outcome:
        experiment, lengths = self._experiments[item.experiment], self._plan.lengths
        # Of a harmless change everybody should keep silent: it is watched for as long as a fault nobody sees.
        shortest = lengths.longest_hold if experiment.benign else lengths.shortest_hold
        self._progress.note(f"  {'change' if experiment.benign else 'fault'}: {experiment.title}")
        settings = {BEGUN: datetime.now(UTC).isoformat(), SHORTEST: str(shortest), LONGEST: str(lengths.longest_hold)}
        journals = self._folder / "journals"
        journals.mkdir(exist_ok=True)
        journal = journals / f"{item.number:03d}-{item.experiment}.json"
        journal.unlink(missing_ok=True)
        try:
            return run_experiment(
                experiment,
                journal,
                {**self._environ, **settings},
                guardian.watch,
                lengths.longest_hold + ROLLBACK_SECONDS,
            )
        finally:
            guardian.watch(0)
            self._undo("  undone after the experiment")

    def _keep(self, item: Item, start: datetime, end: datetime, firing_before: tuple[str, ...]) -> None:
        experiment = self._experiments[item.experiment]
        injection = Injection(
            number=item.number,
            experiment=item.experiment,
            kind=experiment.kind,
            target=experiment.target,
            benign=experiment.benign,
            repeat=item.repeat,
            start=start,
            end=end,
            firing_before=firing_before,
        )
        append_record(self._folder / "injections.jsonl", injection)
        self._collect(injection)

    def _collect(self, injection: Injection) -> None:
        try:
            if self._normal_highest is None:
                self._normal_highest = self._highest_of_normal()
            evidence = collect(self._environ, injection, self._normal_highest)
        except httpx.HTTPError as error:
            self._progress.note(f"  Prometheus gave no evidence: {error}")
            return
        append_record(self._folder / "evidence.jsonl", evidence)

    def _highest_of_normal(self) -> dict[str, float] | None:
        normal = read_records(self._folder / "normal.jsonl", NormalPeriod)
        return highest(self._environ, normal[0].start, normal[-1].end) if normal else None

    def _settle(self, recorder: Recorder) -> None:
        """Wait until the alerts of the last injection have ended; one that has not is noted with the next one."""
        recorder.look()
        wait_until(
            self._progress,
            "alerts to end",
            lambda: not set(recorder.sides_firing()) & SETTLING_SIDES,
            self._plan.lengths.settle,
        )

    def _left(self) -> list[Item]:
        done = {record.number for record in read_records(self._folder / "injections.jsonl", Injection)}
        done |= {record.number for record in read_records(self._folder / "aborted.jsonl", Aborted)}
        return [item for item in self._plan.items if item.number not in done]

    def _left_text(self) -> str:
        """Say how many injections are left, and how long they will take by those that were done in this run."""
        left, records = len(self._left()), read_records(self._folder / "injections.jsonl", Injection)
        each = _pace(records) or self._plan.lengths.longest_hold + 40
        end = datetime.now().astimezone() + timedelta(seconds=left * each)
        return f"{left} injections left, about {left * each / 60:.0f} min, until {end:%H:%M}"


def _pace(records: list[Injection]) -> float | None:
    """Return the usual seconds from one injection to the next; a pause of the whole run counts little in a median."""
    gaps = sorted((after.start - before.start).total_seconds() for before, after in pairwise(records))
    return gaps[len(gaps) // 2] if gaps else None


def _seconds(periods: list[NormalPeriod]) -> float:
    return sum((period.end - period.start).total_seconds() for period in periods)
