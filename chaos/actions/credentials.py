"""Credentials between services that are right on one side only."""

from __future__ import annotations

import os
from pathlib import Path

from chaos.errors import TargetUnreachable
from chaos.undo import UndoLedger
from faultline.config import Environ, Paths
from faultline.shop import credentials_file, write_new_token


def rotate(service: str) -> None:
    """Replace the token that a service expects; its callers keep showing the one they read when they started.

    Raises TargetUnreachable when the service has no credentials.
    """
    replace_token(os.environ, service)


def replace_token(environ: Environ, service: str) -> None:
    """Do as `rotate` says, for the stack of `environ`; the old token stays beside the new one."""
    path = credentials_file(Paths.from_env(environ), service)
    if not path.is_file():
        problem = f"credentials of {service}: {path} is missing, expected the token it made at its first start"
        raise TargetUnreachable(f"{problem}; nothing was injected; see ./run status")
    UndoLedger.from_env(environ).note(__name__, "restore", service=service)
    if not _kept(path).exists():  # the oldest is the one that callers hold
        os.link(path, _kept(path))
    write_new_token(path).replace(path)


def restore(environ: Environ, service: str) -> None:
    """Put the old token back in place; nothing happens when it is not kept, for then it was not replaced."""
    path = credentials_file(Paths.from_env(environ), service)
    if _kept(path).exists():
        _kept(path).replace(path)
        _kept(path).unlink(missing_ok=True)  # a rename onto a link to the same file does nothing


def _kept(path: Path) -> Path:
    return path.with_suffix(".kept")
