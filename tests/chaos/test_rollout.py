"""The steps of a rollout on a pretended service, broken off between any two of them."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chaos import rollout
from chaos.errors import ChaosError
from faultline.config import Environ, Paths
from faultline.stack.scripts import script_path

OLD, NEW = "old version\n", "new version\n"


class Crash(BaseException):
    """The injector is killed."""


class World:
    """What runs of the service: the text of its script in the hands of supervisord, and of those beside it.

    It crashes at step `crash_at`, counted from 1, before or after the step is done.
    """

    def __init__(self, home: Path) -> None:
        self.paths = Paths(home)
        self.kept: str | None = OLD
        self.beside: list[str] = []
        self.steps: list[str] = []
        self.newest_is_kept = True
        self.outages = 0
        self.crash_at, self.crash_after, self.up = 0, False, True

    def step(self, name: str, change: Callable[[], None]) -> None:
        self.steps.append(name)
        crash = len(self.steps) == self.crash_at
        if crash and not self.crash_after:
            raise Crash
        change()
        self.outages += self.kept is None and not self.beside
        assert (self.kept is not None) + len(self.beside) <= 2, (
            "the kernel knows which of two is the newer, not of three"
        )
        if crash:
            raise Crash

    def begin_beside(self, version: str) -> None:
        self.beside.append(version)
        self.newest_is_kept = False

    def begin_kept(self, version: str) -> None:
        self.kept, self.newest_is_kept = version, True

    def version(self, script: Path) -> str:
        """Return the text of the script that is run in the end: a wrapper's last line names another."""
        text = script.read_text()
        last = text.splitlines()[-1]
        return self.version(Path(shlex.split(last)[-1])) if last.startswith("exec /bin/sh") else text


class Pretended:
    """Instances of that world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def kept(self) -> str | None:
        return self._world.kept

    def beside(self) -> list[str]:
        return self._world.beside

    def keep_newest(self) -> None:
        if self._world.kept is not None and self._world.beside:
            if self._world.newest_is_kept:
                self.end_beside()
            else:
                self.stop_kept()

    def start_beside(self, script: Path) -> str:
        version = self._world.version(script)
        self._world.step("start beside", lambda: self._world.begin_beside(version))
        return version

    def wait_ready(self, process: str) -> None:
        if process == "broken":
            raise ChaosError("a new instance ended before it was ready")

    def stop_kept(self) -> None:
        self._world.step("stop", lambda: setattr(self._world, "kept", None))

    def start_kept(self) -> None:
        script = script_path("payments", self._world.paths)
        assert "FAULTLINE_SHOP_SURGE=1" in script.read_text()
        self._world.step("start", lambda: self._world.begin_kept(self._world.version(script)))

    def end_beside(self) -> None:
        self._world.step("end beside", self._world.beside.clear)


class PretendedSupervisor:
    """The supervisord of that world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def states(self) -> dict[str, Any]:
        return {"payments": "RUNNING"} if self._world.up else {}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path)
    world.paths.run.mkdir()
    script_path("payments", world.paths).write_text(OLD)
    monkeypatch.setattr(rollout, "Instances", lambda environ, service: Pretended(world))
    monkeypatch.setattr(rollout, "Supervisor", lambda environ: PretendedSupervisor(world))
    monkeypatch.setattr(rollout, "end", lambda processes: [world.beside.remove(process) for process in processes])
    return world


@pytest.fixture
def environ(tmp_path: Path) -> Environ:
    return {"FAULTLINE_HOME": str(tmp_path)}


def scripts(world: World) -> dict[str, str]:
    return {path.name: path.read_text() for path in world.paths.run.iterdir()}


def test_new_version_takes_the_place_of_the_old_without_an_outage(world: World, environ: Environ) -> None:
    effective_at = rollout.roll_out(environ, "payments", NEW)
    assert world.steps == ["start beside", "stop", "start", "end beside"]
    assert (world.kept, world.beside, world.outages) == (NEW, [], 0)
    assert scripts(world) == {"payments.sh": NEW}
    assert 0 <= (datetime.now(UTC) - effective_at).total_seconds() < 60


def test_version_that_does_not_get_ready_changes_nothing(world: World, environ: Environ) -> None:
    with pytest.raises(ChaosError, match="ended before it was ready"):
        rollout.roll_out(environ, "payments", "broken")
    assert (world.kept, world.beside, world.steps) == (OLD, [], ["start beside"])
    assert scripts(world)["payments.sh"] == OLD


@pytest.mark.parametrize("crash_after", [False, True])
@pytest.mark.parametrize("crash_at", [1, 2, 3, 4])
def test_whatever_was_broken_off_is_put_back(world: World, environ: Environ, crash_at: int, crash_after: bool) -> None:
    world.crash_at, world.crash_after = crash_at, crash_after
    rollout.keep_script(environ, "payments")
    with pytest.raises(Crash):
        rollout.roll_out(environ, "payments", NEW)
    rollout.put_back(environ, "payments")
    assert (world.kept, world.beside) == (OLD, [])
    assert scripts(world) == {"payments.sh": OLD}
    assert world.outages == 0


@pytest.mark.parametrize("crash_at", [1, 2, 3, 4])
def test_putting_back_that_was_broken_off_can_be_done_again(world: World, environ: Environ, crash_at: int) -> None:
    rollout.keep_script(environ, "payments")
    rollout.roll_out(environ, "payments", NEW)
    world.crash_at = 4 + crash_at
    with pytest.raises(Crash):
        rollout.put_back(environ, "payments")
    rollout.put_back(environ, "payments")
    assert (world.kept, world.beside) == (OLD, [])
    assert scripts(world) == {"payments.sh": OLD}


def test_after_two_changes_the_script_before_the_first_is_put_back(world: World, environ: Environ) -> None:
    for text in (NEW, "newer version\n"):
        rollout.keep_script(environ, "payments")
        rollout.roll_out(environ, "payments", text)
    rollout.put_back(environ, "payments")
    assert world.kept == OLD
    world.steps.clear()
    rollout.put_back(environ, "payments")
    assert world.steps == []


def test_nothing_is_started_in_a_stack_that_is_down(world: World, environ: Environ) -> None:
    rollout.keep_script(environ, "payments")
    world.up = False
    rollout.put_back(environ, "payments")
    assert world.steps == []
    assert scripts(world) == {"payments.sh": OLD}


def test_a_script_that_was_forgotten_is_not_put_back(world: World, environ: Environ) -> None:
    rollout.keep_script(environ, "payments")
    rollout.forget_script(environ, "payments")
    rollout.put_back(environ, "payments")
    assert world.steps == []


def test_scripts_are_for_their_owner_alone(world: World, environ: Environ) -> None:
    rollout.keep_script(environ, "payments")
    rollout.roll_out(environ, "payments", NEW)
    assert {path.stat().st_mode & 0o777 for path in world.paths.run.iterdir()} == {0o700}
