"""Put another launch script in the place of a running service without losing a request.

A new instance stands beside the old one and takes over its callers, while supervisord stops the old one and starts
the service by its new script; then the instance beside it leaves. Wherever this is broken off, it can be begun again:
what runs is looked for, not remembered.

Two instances share the service's SQLite file (WAL, a busy time-out) and its log file (both append) for some seconds.
A log file that reaches its 10 MB just then is renamed by both: one of the older files is lost.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from chaos.errors import ChaosError
from chaos.instances import Instances, end
from faultline.config import Environ, Paths
from faultline.shop import SURGE
from faultline.stack.program import Command
from faultline.stack.scripts import script_path, script_text
from faultline.stack.supervisor import Supervisor


def roll_out(environ: Environ, service: str, script: str) -> datetime:
    """Bring the service up by the text of a launch script; return when it began to take requests, in UTC.

    Raises ChaosError when the new instance does not get ready: then the old one stays as it is.
    """
    paths = Paths.from_env(environ)
    launch, ahead = script_path(service, paths), script_path(f"{service}-next", paths)
    instances = Instances(environ, service)
    _write(ahead, script)
    instances.keep_newest()
    # Without one in supervisord's hands, what stands beside is left from a rollout that was broken off: it takes over.
    effective_at = _take_over(instances, environ, ahead) if instances.kept() or not instances.beside() else None
    instances.stop_kept()
    # Beside the other instance, only this once: started again later, a taken port is refused.
    _write(launch, _beside(environ, ahead))
    instances.start_kept()
    effective_at = effective_at or datetime.now(UTC)
    _write(launch, script)
    instances.end_beside()
    ahead.unlink()
    _surge(ahead).unlink(missing_ok=True)  # not there when an instance that was left took over
    return effective_at


def keep_script(environ: Environ, service: str) -> None:
    """Keep the launch script as it is now, to be put back by `put_back`; the oldest that was kept counts."""
    paths = Paths.from_env(environ)
    if not _kept(paths, service).exists():
        _write(_kept(paths, service), script_path(service, paths).read_text())


def forget_script(environ: Environ, service: str) -> None:
    """Have `put_back` do nothing: the service runs by the script that was kept."""
    _kept(Paths.from_env(environ), service).unlink(missing_ok=True)


def put_back(environ: Environ, service: str) -> None:
    """Bring the service up by the script that was kept; nothing when none is, or the whole stack is down.

    Raises ChaosError when it does not come up; then it can be tried again.
    """
    kept = _kept(Paths.from_env(environ), service)
    if kept.exists():
        if Supervisor(environ).states():  # else the script is written anew when the stack is started
            roll_out(environ, service, kept.read_text())
        kept.unlink()


def _take_over(instances: Instances, environ: Environ, ahead: Path) -> datetime:
    _write(_surge(ahead), _beside(environ, ahead))
    process = instances.start_beside(_surge(ahead))
    try:
        instances.wait_ready(process)
    except ChaosError:
        end([process])
        raise
    return datetime.now(UTC)


def _surge(script: Path) -> Path:
    return script.with_suffix(".surge.sh")


def _beside(environ: Environ, script: Path) -> str:
    """Return a script that runs another one as an instance that may stand beside one on the same port."""
    return script_text(Command(["/bin/sh", str(script)], environment={SURGE: "1"}), environ)


def _kept(paths: Paths, service: str) -> Path:
    return script_path(f"{service}-kept", paths)


def _write(path: Path, text: str) -> None:
    """Write a script that only its owner reads, whole or not at all: settings may hold secrets."""
    aside = path.with_suffix(".new")
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o700), "w") as file:  # noqa: PTH123 - a descriptor
        file.write(text)
    aside.replace(path)
