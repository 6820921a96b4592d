"""Deployments: a release, a setting or a restart in the place of what runs, with the events a pipeline tells of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Final

from chaos import ci_events, releases, rollout
from chaos.targets import running_process
from chaos.toolkit import EFFECTIVE_AT
from chaos.undo import UndoLedger
from faultline.config import REPOSITORY, Environ, Paths
from faultline.shop import SURGE
from faultline.stack.programs import declare_programs
from faultline.stack.scripts import script_path, script_text

CONFIGURED_BY: Final = "Robin"


def deploy(release: str) -> dict[str, str]:
    """Deploy a release of chaos/releases without downtime; returns when it began to take requests.

    Raises ExperimentError or TargetUnreachable before anything is changed; ChaosError when it does not come up.
    """
    return deploy_release(os.environ, release)


def restart(services: Sequence[str]) -> dict[str, str]:
    """Restart services one by one, without downtime and without a change; returns when the first new one took over."""
    return restart_each(os.environ, services)


def configure(service: str, environment: Mapping[str, str], message: str) -> dict[str, str]:
    """Deploy the version that runs with other settings; `message` is of the commit. Returns and raises as `deploy`."""
    return change_settings(os.environ, service, environment, message)


def deploy_release(environ: Environ, name: str) -> dict[str, str]:
    """Do as `deploy` says, for the stack of `environ`."""
    release = releases.load_release(name)
    running = _running_settings(environ, release.service)
    folder = releases.build(release, release.folder(Paths.from_env(environ).home / "releases"))
    changes = {
        "PYTHONPATH": f"{folder}:{REPOSITORY}",
        "FAULTLINE_SHOP_VERSION": release.version,
        **release.environment,
    }
    script = _script(release.service, environ, running, changes)
    return _ship(environ, release.service, script, (release.message, release.author))


def restart_each(environ: Environ, services: Sequence[str]) -> dict[str, str]:
    """Do as `restart` says, for the stack of `environ`."""
    for service in services:
        running_process(environ, service)
    with _pipeline(Paths.from_env(environ), None):
        moments = [_replace(environ, service, None) for service in services]
    for service in services:  # every one runs by its own script again: nothing is left to undo
        rollout.forget_script(environ, service)
    return _effective(moments[0])


def change_settings(environ: Environ, service: str, environment: Mapping[str, str], message: str) -> dict[str, str]:
    """Do as `configure` says, for the stack of `environ`."""
    running = _running_settings(environ, service)
    script = _script(service, environ, running, {"PYTHONPATH": running["PYTHONPATH"], **environment})
    return _ship(environ, service, script, (message, CONFIGURED_BY))


def put_back(environ: Environ, service: str) -> None:
    """Bring a service up as it was before the first of the changes that were not undone; the undo of all of them."""
    rollout.put_back(environ, service)


def _ship(environ: Environ, service: str, script: str, commit: tuple[str, str]) -> dict[str, str]:
    with _pipeline(Paths.from_env(environ), commit):
        return _effective(_replace(environ, service, script))


def _replace(environ: Environ, service: str, script: str | None) -> datetime:
    """Roll a script out, or the present one again."""
    UndoLedger.from_env(environ).note(__name__, "put_back", service=service)
    rollout.keep_script(environ, service)
    return rollout.roll_out(environ, service, script or script_path(service, Paths.from_env(environ)).read_text())


@contextmanager
def _pipeline(paths: Paths, commit: tuple[str, str] | None) -> Iterator[None]:
    """Tell of the commit, and of the run of the pipeline around what it does."""
    deployment = ci_events.Deployment()
    if commit is not None:
        ci_events.tell_commit(paths, deployment, *commit)
    ci_events.tell_started(paths, deployment)
    try:
        yield
    except BaseException:
        ci_events.tell_ended(paths, deployment, "failure")
        raise
    ci_events.tell_ended(paths, deployment, "success")


def _running_settings(environ: Environ, service: str) -> dict[str, str]:
    """Return the environment of the running instance: what was set when the stack was started counts."""
    return running_process(environ, service).environ()


def _script(service: str, environ: Environ, running: Mapping[str, str], changes: Mapping[str, str]) -> str:
    own = {key: value for key, value in running.items() if key.startswith("FAULTLINE_") and key != SURGE}
    settings = {**{key: value for key, value in environ.items() if not key.startswith("FAULTLINE_")}, **own}
    command = declare_programs(settings)[service].command()
    return script_text(replace(command, environment={**command.environment, **changes}), settings)


def _effective(moment: datetime) -> dict[str, str]:
    return {EFFECTIVE_AT: moment.isoformat()}
