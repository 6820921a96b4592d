"""Training runs its jobs in order; one that fails is named with the end of its log, and none outlives its parent."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from faultline.config import Environ
from faultline.errors import StackError
from faultline.stack import training
from faultline.stack.progress import Progress


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "FAULTLINE_HOME": str(tmp_path)}


def run_instead(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Let every job be a small Python program that finds its name in JOB."""

    def command(job: str, args: object, environ: Environ) -> tuple[list[str], dict[str, str]]:
        return [sys.executable, "-c", program], {**environ, "JOB": job}

    monkeypatch.setattr(training, "submit_command", command)


def test_the_jobs_run_one_after_the_other_and_their_output_is_kept(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_instead(monkeypatch, "import os; print(os.environ['JOB'], os.environ.get('FAULTLINE_TRAIN_SINCE'))")
    training.train(environ, Progress(io.StringIO()), since=datetime(2026, 1, 2, tzinfo=UTC))
    logs = sorted((tmp_path / "log").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    jobs = [job for job, _ in training.JOBS]
    assert [path.read_text() for path in logs] == [f"{job} 2026-01-02T00:00:00+00:00\n" for job in jobs]
    assert [path.name for path in logs] == [job.replace(".py", ".log") for job in jobs]


def test_only_the_last_job_makes_a_champion(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("FAULTLINE_ALIAS", "FAULTLINE_BASE_ALIAS")
    run_instead(monkeypatch, f"import os; print(*[os.environ.get(name, 'default') for name in {names}])")
    training.train(environ, Progress(io.StringIO()))
    said = {path.stem: path.read_text().split() for path in (tmp_path / "log").iterdir()}
    assert said["semantic_train"][0] == "candidate"
    assert said["structure_train"] == ["candidate", "candidate"]
    assert said["root_cause_train"] == ["default", "candidate"]


def test_a_job_that_fails_is_named_with_the_end_of_its_log(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_instead(monkeypatch, "import sys; print(*range(20), sep='\\n'); sys.exit('no lines to learn from')")
    with pytest.raises(StackError) as caught:
        training.train(environ, Progress(io.StringIO()))
    path = tmp_path / "log" / "semantic_preprocessing.log"
    text = str(caught.value)
    assert text.startswith(f"job semantic_preprocessing.py ended with status 1; the end of {path}:\n")
    assert "no lines to learn from" in text
    assert "\n5\n" not in text
    assert not (tmp_path / "log" / "semantic_train.log").exists()


def test_an_interrupt_ends_the_job_too(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = tmp_path / "started"
    run_instead(monkeypatch, f"import os, time; open({str(started)!r}, 'w').write(str(os.getpid())); time.sleep(600)")
    threading.Thread(target=_interrupt_when, args=(started, threading.get_ident()), daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        training.train(environ, Progress(io.StringIO()))
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)


def _interrupt_when(started: Path, main: int, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not (started.exists() and started.read_text()) and time.monotonic() < end:
        time.sleep(0.01)
    signal.pthread_kill(main, signal.SIGINT)
