"""Processes that are injected into instead of a service: they belong to the test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest

StandIn = subprocess.Popen[str]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """FAULTLINE_HOME of the actions, which read the environment of their process."""
    monkeypatch.setenv("FAULTLINE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def run_stand_in() -> Iterator[Callable[[str], StandIn]]:
    """Run Python code that prints a line when it is ready; ended when the test is."""
    with ExitStack() as stack:

        def run(code: str) -> StandIn:
            argv = [sys.executable, "-c", code]
            process = stack.enter_context(
                subprocess.Popen(
                    argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
                )
            )
            stack.callback(process.kill)
            assert process.stdout is not None
            process.stdout.readline()
            return process

        yield run


@pytest.fixture
def target(run_stand_in: Callable[[str], StandIn], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], psutil.Process]:
    """Run Python code and let every action find it as the service that it is told."""

    def run(code: str) -> psutil.Process:
        process = psutil.Process(run_stand_in(code).pid)
        for module in ("processes", "resources", "traffic", "crasher"):
            monkeypatch.setattr(f"chaos.actions.{module}.running_process", lambda environ, name: process)
        return process

    return run


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool], str], None]:
    """Poll until a condition holds."""

    def wait(condition: Callable[[], bool], what: str) -> None:
        deadline = monotonic() + 30
        while not condition():
            assert monotonic() < deadline, f"not within 30 s: {what}"
            sleep(0.02)

    return wait
