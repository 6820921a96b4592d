import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from faultline.config import Paths
from faultline.stack.leftovers import find_leftovers, stop_leftovers


@pytest.fixture
def orphan(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that carries the marker of a stack and that SIGTERM does not end."""
    script = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    environ = {**os.environ, "FAULTLINE_STACK": str(tmp_path)}
    with subprocess.Popen(["sh", "-c", script], env=environ, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_a_process_with_the_marker_is_found_and_ended(
    orphan: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faultline.stack.leftovers.TERM_SECONDS", 0.3)
    assert orphan.pid in [process.pid for process in find_leftovers(Paths(tmp_path))]
    assert f"sh (pid {orphan.pid})" in stop_leftovers(Paths(tmp_path))
    assert orphan.poll() is not None
    assert find_leftovers(Paths(tmp_path)) == []


def test_processes_of_another_home_are_left_alone(orphan: subprocess.Popen[bytes], tmp_path: Path) -> None:
    assert stop_leftovers(Paths(tmp_path / "other")) == []
    assert orphan.poll() is None
