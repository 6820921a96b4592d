"""Fill the ports and folders of this run into the configuration templates of the repository."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from string import Template

from faultline.config import REPOSITORY, Environ, Paths, Ports
from faultline.errors import StackError


def template_values(environ: Environ, user_id: int) -> dict[str, str]:
    """Return what templates may name: `<name>_port` of every port, folders, and nginx's user line.

    `user_id` is the id of the user who starts nginx. Root must name a user for the workers; only root itself can
    be sure to reach a home folder below /root. Other users cannot change theirs.
    """
    paths, ports = Paths.from_env(environ), Ports.from_env(environ)
    values = {f"{field.name}_port": str(getattr(ports, field.name)) for field in fields(ports)}
    return {
        **values,
        "home": str(paths.home),
        "run": str(paths.run),
        "watched": str(paths.watched_logs),
        "kafka_data": str(kafka_folder(paths)),
        "rules": str(REPOSITORY / "prometheus"),
        "user_directive": "user root;" if user_id == 0 else "",
    }


def kafka_folder(paths: Paths) -> Path:
    """Where the broker keeps its records."""
    return paths.home / "kafka"


def fill_in(text: str, values: Mapping[str, str], source: str) -> str:
    """Return `text` with every `${name}` replaced and `$$` made `$`; StackError names what is wrong where.

    >>> fill_in("listen ${nginx_port}; # $$status", {"nginx_port": "80"}, "nginx.conf")
    'listen 80; # $status'
    """
    try:
        return Template(text).substitute(values)
    except KeyError as error:
        known = ", ".join(sorted(values))
        problem = f"{source}: placeholder ${{{error.args[0]}}} is unknown, expected one of {known}"
        raise StackError(problem) from error
    except ValueError as error:
        raise StackError(f"{source}: {error}; a dollar that is no placeholder is written $$") from error


def render(template: Path, folder: Path, values: Mapping[str, str]) -> Path:
    """Write the filled-in template (a path inside the repository) into `folder` and return the new file."""
    source = REPOSITORY / template
    if not source.is_file():
        raise StackError(f"{template} is missing from the repository {REPOSITORY}; restore it with git checkout")
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / template.name
    target.write_text(fill_in(source.read_text(), values, str(template)))
    return target
