import os
from collections.abc import Callable

import pytest

from chaos.errors import TargetUnreachable
from chaos.targets import running_process
from faultline.stack.supervisor import ProcessState, Supervisor


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Callable[[ProcessState], None]:
    def tell(state: ProcessState) -> None:
        monkeypatch.setattr(Supervisor, "states", lambda self: {state.name: state})

    return tell


def test_the_process_of_a_running_program(known: Callable[[ProcessState], None]) -> None:
    known(ProcessState("payments", "RUNNING", os.getpid(), 0, ""))
    assert running_process({}, "payments").pid == os.getpid()


def test_a_stopped_program(known: Callable[[ProcessState], None]) -> None:
    known(ProcessState("payments", "STOPPED", 0, 0, ""))
    with pytest.raises(TargetUnreachable, match="payments is stopped, expected running; nothing was injected"):
        running_process({}, "payments")


def test_no_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Supervisor, "states", lambda self: {})
    with pytest.raises(TargetUnreachable, match="cellar is unknown to supervisord"):
        running_process({}, "cellar")


def test_a_process_that_ended_just_now(known: Callable[[ProcessState], None]) -> None:
    known(ProcessState("payments", "RUNNING", 2**22 + 1, 0, ""))
    with pytest.raises(TargetUnreachable, match="ended just now; nothing was injected"):
        running_process({}, "payments")
