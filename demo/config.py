"""Settings of the shop, read once from the environment that is passed in."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from faultline.config import Paths, Ports
from faultline.settings import read_int
from faultline.shop import credentials_file, has_proxy, stores_folder

SERVICES: Final = ("storefront", "orders", "payments", "inventory")


@dataclass(frozen=True)
class ShopConfig:
    """Ports, folders and seed of the four services."""

    ports: Ports
    paths: Paths
    stores: Path  # one SQLite file per owning service
    logs: Path
    seed: int
    version: str
    has_proxy: bool = False

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read FAULTLINE_HOME, ports, FAULTLINE_SEED, FAULTLINE_SHOP_VERSION and _PROXY; raises ConfigError."""
        paths = Paths.from_env(environ)
        return cls(
            ports=Ports.from_env(environ),
            paths=paths,
            stores=stores_folder(paths),
            logs=paths.watched_logs / "shop",
            seed=read_int(environ, "FAULTLINE_SEED", 0),
            version=environ.get("FAULTLINE_SHOP_VERSION", "1.0.0"),
            has_proxy=has_proxy(environ),
        )

    def port(self, service: str) -> int:
        """Return the TCP port of a service, or of the proxy between two."""
        return int(getattr(self.ports, service))

    def url(self, caller: str, callee: str) -> str:
        """Return the base URL under which one service calls another: its own, or the proxy's between the two."""
        port = self.port(f"{caller}_{callee}" if self.has_proxy else callee)
        return f"http://127.0.0.1:{port}"

    def credentials(self, service: str) -> Path:
        """Return the file of the token that a service expects."""
        return credentials_file(self.paths, service)

    def random(self, *parts: object) -> random.Random:
        """Return a generator that depends on the seed and on what it is for, not on the order of requests."""
        return random.Random(":".join(map(str, (self.seed, *parts))))
