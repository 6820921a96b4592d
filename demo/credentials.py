"""How services show each other who they are: a token per callee, in a file that only the shop's user can read."""

from __future__ import annotations

import hmac
import os
from pathlib import Path
from typing import Final

from demo.errors import CredentialsRejected, ShopError
from faultline.errors import ConfigError
from faultline.shop import write_new_token

_SCHEME: Final = "Bearer "


def bearer(token: str) -> dict[str, str]:
    """Return the header that shows a token (RFC 6750, section 2.1)."""
    return {"Authorization": f"{_SCHEME}{token}"}


def ensure_token(path: Path) -> str:
    """Return the token in a file; callee or caller, whoever starts first makes it. Raises ConfigError when empty."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(path)
    token = path.read_text().strip()
    if not token:
        raise ConfigError(str(path), "", "a token; remove the file, the next start makes a new one")
    return token


def check_credentials(path: Path, shown: str | None, request: str) -> None:
    """Compare the header Authorization of a request with what the file holds now: a new token counts at once.

    Raises CredentialsRejected, which says what is wrong and never the token; ShopError (503) without a token to
    compare with.
    """
    problem = _problem(_current(path), shown)
    if problem:
        raise CredentialsRejected(f"credentials rejected for {request}: {problem}")


def _problem(expected: str, shown: str | None) -> str:
    if shown is None:
        return "none were sent"
    if not shown.startswith(_SCHEME):
        return "not a bearer token"
    # The first difference must not show in the time that the comparison takes.
    matches = hmac.compare_digest(shown.removeprefix(_SCHEME).encode(), expected.encode())
    return "" if matches else "the token is not the current one"


def _current(path: Path) -> str:
    try:
        token = path.read_text().strip()
    except OSError as error:
        raise ShopError(503, f"credentials of this service cannot be read: {error.strerror}: {path}") from error
    if not token:  # which an empty token would match
        raise ShopError(503, f"credentials of this service are empty: {path}")
    return token


def _make(path: Path) -> None:
    """Put a whole token in place, or leave the one that somebody else has put there meanwhile."""
    aside = write_new_token(path)
    try:
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        aside.unlink()
