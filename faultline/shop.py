"""What is known of the watched shop outside it: who calls whom, through what, and where credentials lie."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from faultline.config import Paths
from faultline.settings import one_of, read

SERVICES: Final = {  # each with a SQLite file of its own
    "storefront": "Storefront: catalogue, search, carts and checkout, as the customers see them",
    "orders": "Takes an order through reservation and payment, and stores what became of it",
    "payments": "Charges a card once per order, through an acquirer that is sometimes slow",
    "inventory": "Stock levels, reservations keyed by order, and deliveries that fill up what runs low",
}
CALLS: Final = (("storefront", "orders"), ("orders", "payments"), ("orders", "inventory"))  # caller, callee
CALLEES: Final = frozenset(callee for _, callee in CALLS)
TOKEN_BYTES: Final = 32
SURGE: Final = "FAULTLINE_SHOP_SURGE"  # 1: an instance may stand beside another on its port, which it takes over from
LEAVE: Final = signal.SIGUSR1  # asks an instance to end each connection with its answer


def has_proxy(environ: Mapping[str, str]) -> bool:
    """Read FAULTLINE_SHOP_PROXY: do the services call each other through the proxy; raises ConfigError."""
    return _is_on(environ, "FAULTLINE_SHOP_PROXY")


def is_surge(environ: Mapping[str, str]) -> bool:
    """Read SURGE; raises ConfigError."""
    return _is_on(environ, SURGE)


def _is_on(environ: Mapping[str, str], key: str) -> bool:
    return read(environ, key, "0", one_of("0", "1"), "0 or 1") == "1"


def stores_folder(paths: Paths) -> Path:
    """Return where the services keep their SQLite files."""
    return paths.home / "shop"


def credentials_file(paths: Paths, callee: str) -> Path:
    """Return the file of the token that a service expects of those who call it."""
    return stores_folder(paths) / "credentials" / f"{callee}.token"


def write_new_token(path: Path) -> Path:
    """Write a new token into a file beside `path` that only its owner reads; return it, to be moved into place."""
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(TOKEN_BYTES) + "\n")
    return aside
