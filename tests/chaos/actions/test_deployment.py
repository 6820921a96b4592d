"""Deployments of the real payments service under the real supervisord, with callers that never stop asking."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil
import pytest

from chaos.actions.deployment import change_settings, deploy_release, restart_each
from chaos.errors import ChaosError, ExperimentError, TargetUnreachable
from chaos.instances import Instances
from chaos.undo import UndoLedger
from faultline.config import Environ, Paths, Ports
from faultline.stack.leftovers import find_leftovers
from faultline.stack.lifecycle import Stack
from faultline.stack.progress import Progress
from faultline.stack.scripts import script_path
from tests.conftest import stack_environ

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SERVICE = "payments"


class Crash(BaseException):
    """The injector is killed."""


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a stack whose only running program is payments; its home takes quoting."""
    environ = stack_environ(tmp_path_factory.mktemp("deployment") / "a home; #1")
    stack = Stack.from_env(environ, Progress(io.StringIO()))
    try:
        stack.up([SERVICE])
        yield environ
    finally:
        stack.down()
        assert find_leftovers(Paths.from_env(environ)) == []


@pytest.fixture(autouse=True)
def nothing_is_left(environ: Environ) -> Iterator[None]:
    """After each test the original version runs, alone, by the script it had."""
    script = script_path(SERVICE, Paths.from_env(environ))
    before = script.read_text()
    yield
    UndoLedger.from_env(environ).undo_all()
    assert script.read_text() == before
    assert version(environ) == "1.0.0"
    assert Instances(environ, SERVICE).beside() == []
    assert sorted(path.name for path in script.parent.glob("*.sh")) == ["payments.sh"]


def url(environ: Environ) -> str:
    return f"http://127.0.0.1:{Ports.from_env(environ).payments}/health"


def version(environ: Environ) -> str:
    return str(httpx.get(url(environ), trust_env=False).json()["version"])


def kept_pid(environ: Environ) -> int:
    kept = Instances(environ, SERVICE).kept()
    assert kept is not None
    return kept.pid


def runs(environ: Environ) -> list[str]:
    """Return how each run of the pipeline ended, as far as was told; None for its begin."""
    file = Paths.from_env(environ).watched_logs / "events" / "github_actions.jsonl"
    return [json.loads(line)["workflow_run"]["conclusion"] for line in file.read_text().splitlines()]


@contextmanager
def callers(environ: Environ) -> Iterator[list[str]]:
    """Ask on and on, on a connection that is kept and on new ones; yield the list of what was answered."""
    answers: list[str] = []
    done = threading.Event()

    def ask(limits: httpx.Limits) -> None:
        with httpx.Client(limits=limits, trust_env=False) as client:
            while not done.wait(0.005):
                try:
                    answers.append(client.get(url(environ)).json()["version"])
                except httpx.HTTPError as error:
                    answers.append(repr(error))

    limits = (httpx.Limits(), httpx.Limits(max_keepalive_connections=0))
    threads = [threading.Thread(target=ask, args=(limit,)) for limit in limits]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_release_and_its_undo_lose_no_request(environ: Environ) -> None:
    first = kept_pid(environ)
    with callers(environ) as answers:
        assert deploy_release(environ, "payments-1.1.0")["effective_at"].endswith("+00:00")
        assert version(environ) == "1.1.0"
        assert psutil.Process(kept_pid(environ)).environ()["PYTHONPATH"].startswith(environ["FAULTLINE_HOME"])
        UndoLedger.from_env(environ).undo_all()
    assert set(answers) == {"1.0.0", "1.1.0"}
    assert (answers[0], answers[-1]) == ("1.0.0", "1.0.0")
    assert kept_pid(environ) != first
    assert runs(environ)[-2:] == [None, "success"]


def test_restart_leaves_nothing_to_undo(environ: Environ) -> None:
    first = kept_pid(environ)
    with callers(environ) as answers:
        restart_each(environ, [SERVICE])
    second = kept_pid(environ)
    assert set(answers) == {"1.0.0"}
    assert first != second
    UndoLedger.from_env(environ).undo_all()
    assert kept_pid(environ) == second


@pytest.mark.parametrize("step", ["stop_kept", "start_kept", "end_beside"])
def test_deployment_that_was_broken_off_is_undone(environ: Environ, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    # Between any two steps: tests/chaos/test_rollout.py.
    with callers(environ) as answers:
        with monkeypatch.context() as patch:
            patch.setattr(Instances, step, crash)
            with pytest.raises(Crash):
                deploy_release(environ, "payments-1.1.0")
        assert len(Instances(environ, SERVICE).beside()) == 1
        UndoLedger.from_env(environ).undo_all()
    assert set(answers) == {"1.0.0", "1.1.0"}


def crash(_: Instances) -> None:
    raise Crash


def test_settings_change_and_come_back(environ: Environ) -> None:
    change_settings(environ, SERVICE, {"FAULTLINE_SEED": "5"}, "Another seed")
    assert psutil.Process(kept_pid(environ)).environ()["FAULTLINE_SEED"] == "5"
    assert version(environ) == "1.0.0"


def test_version_that_does_not_start_is_told_as_failed_and_the_old_one_stays(environ: Environ) -> None:
    first = kept_pid(environ)
    with pytest.raises(ChaosError, match=r"a new instance of payments ended before it was ready; see .*beside\.log"):
        change_settings(environ, SERVICE, {"FAULTLINE_SEED": "five"}, "Another seed")
    assert kept_pid(environ) == first
    assert runs(environ)[-2:] == [None, "failure"]


def test_nothing_is_changed_when_the_target_is_down_or_the_release_unknown(environ: Environ) -> None:
    with pytest.raises(TargetUnreachable, match="orders is stopped, expected running; nothing was injected"):
        deploy_release(environ, "orders-1.1.0")
    with pytest.raises(TargetUnreachable, match="storefront is stopped"):
        restart_each(environ, [SERVICE, "storefront"])
    with pytest.raises(ExperimentError, match="release 'payments-9' does not exist in releases, expected one of"):
        deploy_release(environ, "payments-9")
    assert UndoLedger.from_env(environ).pending() == []
