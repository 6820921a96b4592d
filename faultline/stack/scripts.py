"""The launch script of each program: environment, folder and command in one file that a person can run too.

supervisord reads its configuration once; a script is read at every start, so a changed setting or path needs no
reload. It also takes any path: supervisord's own quoting knows neither `#` nor `;` nor quotes.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from faultline.config import REPOSITORY, Environ, Paths
from faultline.stack.program import Command, Program

MARKER = "FAULTLINE_STACK"  # in the environment of every process of a stack: the home it belongs to


def script_path(name: str, paths: Paths) -> Path:
    """Where the launch script of a program lies."""
    return paths.run / f"{name}.sh"


def write_script(program: Program, environ: Environ) -> Path:
    """Write the launch script of a program and return it; fetches what the command needs (see jars)."""
    path = script_path(program.name, Paths.from_env(environ))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script_text(program.command(), environ))
    path.chmod(0o700)  # settings may hold secrets
    return path


def script_text(command: Command, environ: Environ) -> str:
    """Return a POSIX sh script that becomes the command (its process id is the script's)."""
    variables = {**program_environment(environ), **command.environment}
    lines = [
        "#!/bin/sh",
        "# Written at every start; edits are lost.",
        f"cd {shlex.quote(str(Paths.from_env(environ).run))} || exit 1",
        *(f"export {key}={shlex.quote(value)}" for key, value in sorted(variables.items())),
        *command.before.splitlines(),
        f"exec {shlex.join(command.argv)}",
    ]
    return "\n".join(lines) + "\n"


def program_environment(environ: Environ) -> dict[str, str]:
    """Return what every program gets: our own settings as they are now, and the marker of this stack."""
    home = str(Paths.from_env(environ).home)
    settings = {key: value for key, value in environ.items() if key.startswith("FAULTLINE_")}
    return {
        **settings,
        "FAULTLINE_HOME": home,
        MARKER: home,
        # The folder of this environment's programs first: spark-submit and its workers find the same Python.
        "PATH": f"{Path(sys.executable).parent}:{environ.get('PATH', os.defpath)}",
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
    }
