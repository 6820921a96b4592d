"""Run one experiment by Chaos Toolkit, in a process of its own, and read its journal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from chaos.catalogue import Experiment
from chaos.errors import ChaosError
from faultline.config import Environ

EFFECTIVE_AT: Final = "effective_at"  # in what an injecting action returns: when its change took effect
END_SECONDS: Final = 60.0  # for the rollback of an experiment that is interrupted


@dataclass(frozen=True)
class Outcome:
    """What the journal says; `start` and `end` are None when nothing was injected."""

    status: str  # of the toolkit: completed, failed, aborted, interrupted
    start: datetime | None
    end: datetime | None
    problem: str = ""


def run_experiment(
    experiment: Experiment, journal: Path, environ: Environ, started: Callable[[int], None], timeout_seconds: float
) -> Outcome:
    """Run to the end, rollback included, and return what was injected when; `started` is told the process id.

    The experiment aborts before it injects when its steady state does not hold. Raises ChaosError when the toolkit
    does not end in time or leaves no journal.
    """
    log = journal.with_suffix(".log")
    argv = [sys.executable, "-m", "chaostoolkit", "--no-version-check", "--log-file", str(log), "run"]
    argv += ["--rollback-strategy", "always", "--hypothesis-strategy", "before-method-only"]
    argv += ["--journal-path", str(journal), str(experiment.path)]
    with log.with_suffix(".out").open("wb") as output:
        process = subprocess.Popen(
            argv,
            env={**environ, "PYTHONUNBUFFERED": "1"},
            cwd=journal.parent,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is ours to pass on: the rollback must not be interrupted by a second one
        )
        started(process.pid)
        try:
            process.wait(timeout_seconds)
        except subprocess.TimeoutExpired as error:
            _end(process)
            text = f"{experiment.name} did not end within {timeout_seconds:.0f} s and was ended; see {log}"
            raise ChaosError(text) from error
        except BaseException:
            _end(process)
            raise
    return read_journal(journal)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Have the toolkit end: it rolls back on SIGINT; what it does not get done is undone from the ledger."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def read_journal(path: Path) -> Outcome:
    """Return what a journal says; raises ChaosError when there is none: the toolkit did not get as far."""
    try:
        journal: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        text = f"{path.name}: no journal ({error}); what the toolkit said is in {path.with_suffix('.out')}"
        raise ChaosError(text) from error
    injecting = next((run for run in journal["run"] if _is_action(run)), None)
    if injecting is None:
        return Outcome(journal["status"], None, None, _why_not(journal))
    if injecting["status"] == "failed":  # the toolkit goes on, but nothing was there to be noticed
        return Outcome(journal["status"], None, None, _problem(journal))
    ended = [run["end"] for run in (*journal["run"], *journal["rollbacks"]) if "end" in run]
    return Outcome(journal["status"], _effective(injecting), max(map(_time, ended)), _problem(journal))


def _is_action(run: dict[str, Any]) -> bool:
    return bool(run["activity"]["type"] == "action")


def _effective(run: dict[str, Any]) -> datetime:
    """Return when the fault began to be: an action that needs time until its change is in effect says when it was."""
    output = run.get("output")
    told = output.get(EFFECTIVE_AT) if isinstance(output, dict) else None
    return _time(told or run["start"])


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _why_not(journal: dict[str, Any]) -> str:
    before = (journal.get("steady_states") or {}).get("before") or {}
    failed = [probe["activity"]["name"] for probe in before.get("probes", []) if not probe.get("tolerance_met")]
    return f"steady state not met: {', '.join(failed)}" if failed else "nothing was injected"


def _problem(journal: dict[str, Any]) -> str:
    """Return the last line of the first exception, empty when every action did its part."""
    failed = [run for run in (*journal["run"], *journal["rollbacks"]) if run.get("status") == "failed"]
    return "; ".join(
        f"{run['activity']['name']}: {''.join(run['exception']).strip().splitlines()[-1]}" for run in failed
    )
