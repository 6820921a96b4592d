"""Kill a program each time it is up, until ended: `python -m chaos.actions.crasher PROGRAM`."""

from __future__ import annotations

import os
import sys
from time import sleep
from typing import Final

import psutil

from chaos.errors import TargetUnreachable
from chaos.targets import running_process
from faultline.config import Environ
from faultline.stack.programs import declare_programs
from faultline.stack.readiness import Probe
from faultline.stack.supervisor import Supervisor

POLL_SECONDS: Final = 0.1


def main(environ: Environ, name: str) -> None:
    """Return when the stack is down; until then the program ends as soon as it answers."""
    probe = declare_programs(environ)[name].probe
    while Supervisor(environ).states():
        kill_when_up(environ, name, probe)
        sleep(POLL_SECONDS)


def kill_when_up(environ: Environ, name: str, probe: Probe | None) -> bool:
    """SIGKILL the program when it runs and its probe says that it is ready; True when it was killed."""
    try:
        process = running_process(environ, name)
        if probe is not None and probe() is not None:
            return False
        process.kill()
    except (TargetUnreachable, psutil.NoSuchProcess):  # between two starts
        return False
    return True


if __name__ == "__main__":
    main(os.environ, sys.argv[1])
