"""Settings of the shop, read once from the environment that is passed in."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from faultline.config import Paths, Ports
from faultline.settings import read_int

SERVICES: Final = ("storefront", "orders", "payments", "inventory")


@dataclass(frozen=True)
class ShopConfig:
    """Ports, folders and seed of the four services."""

    ports: Ports
    stores: Path  # one SQLite file per owning service
    logs: Path
    seed: int
    version: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read FAULTLINE_HOME, ports, FAULTLINE_SEED and FAULTLINE_SHOP_VERSION; raises ConfigError."""
        paths = Paths.from_env(environ)
        return cls(
            ports=Ports.from_env(environ),
            stores=paths.home / "shop",
            logs=paths.watched_logs / "shop",
            seed=read_int(environ, "FAULTLINE_SEED", 0),
            version=environ.get("FAULTLINE_SHOP_VERSION", "1.0.0"),
        )

    def port(self, service: str) -> int:
        """Return the TCP port of a service."""
        return int(getattr(self.ports, service))

    def url(self, service: str) -> str:
        """Return the base URL under which the other services reach this one."""
        return f"http://127.0.0.1:{self.port(service)}"

    def random(self, *parts: object) -> random.Random:
        """Return a generator that depends on the seed and on what it is for, not on the order of requests."""
        return random.Random(":".join(map(str, (self.seed, *parts))))
