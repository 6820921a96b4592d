"""The processes that are injected into, as supervisord knows them."""

from __future__ import annotations

import psutil

from chaos.errors import TargetUnreachable
from faultline.config import Environ
from faultline.stack.supervisor import Supervisor


def running_process(environ: Environ, program: str) -> psutil.Process:
    """Return the process of a program of the stack; TargetUnreachable when it does not run."""
    state = Supervisor(environ).states().get(program)
    if state is None or not state.is_alive or not state.pid:
        found = "unknown to supervisord" if state is None else state.state.lower()
        raise TargetUnreachable(f"{program} is {found}, expected running; nothing was injected; see ./run status")
    try:
        return psutil.Process(state.pid)
    except psutil.NoSuchProcess as error:
        raise TargetUnreachable(f"{program} (pid {state.pid}) ended just now; nothing was injected") from error
