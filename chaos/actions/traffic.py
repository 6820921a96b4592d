"""What reaches the shop from outside: too much, nonsense, or more than usual for good reasons."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from chaos.actions import background
from chaos.targets import running_process
from faultline.config import REPOSITORY, Environ, Ports

TRAFFIC_FILE: Final = REPOSITORY / "demo" / "traffic.py"


def surge(requests_per_second: float, visitors: int) -> None:
    """Add so many visitors who together want so much, whatever the shop can serve. Raises TargetUnreachable."""
    settings = {"FAULTLINE_TRAFFIC_RPS": str(requests_per_second)}
    _add_visitors(os.environ, settings, ["-u", str(visitors), "-r", str(visitors)], "surge")


def daily_curve(requests_per_second: float, seconds: float) -> None:
    """Add visitors as a day does in `seconds`: none, smoothly more up to the given rate, smoothly none again.

    Raises TargetUnreachable.
    """
    wave = {"FAULTLINE_TRAFFIC_RPS": str(requests_per_second), "FAULTLINE_TRAFFIC_WAVE_SECONDS": str(seconds)}
    _add_visitors(os.environ, wave, ["-u", "10", "-r", "10", "--run-time", str(seconds)], "daily-curve")


def corrupt_payloads(requests_per_second: float) -> None:
    """Add a client whose requests cannot be understood. Raises TargetUnreachable."""
    _add_client(os.environ, "chaos.actions.scrambler", (str(requests_per_second),), "corrupt-payloads")


def cron_burst(requests_per_second: float, seconds: float) -> None:
    """Run a nightly job: read every list and product page at this rate, at most so long. Raises TargetUnreachable."""
    arguments = (str(requests_per_second), str(seconds))
    _add_client(os.environ, "chaos.actions.exporter", arguments, "cron-burst")


def _add_visitors(environ: Environ, settings: dict[str, str], options: Sequence[str], log_name: str) -> None:
    running_process(environ, "nginx")
    argv = [sys.executable, "-m", "locust", "-f", str(TRAFFIC_FILE), "--headless", "--only-summary"]
    argv += [*options, "--host", _shop(environ)]
    # A seed of their own: with the seed of the traffic that runs already they would be the same customers.
    background.start({**environ, **settings, "FAULTLINE_SEED": "4711"}, argv, log_name)


def _add_client(environ: Environ, module: str, arguments: Sequence[str], log_name: str) -> None:
    running_process(environ, "nginx")
    background.start(environ, [sys.executable, "-m", module, _shop(environ), *arguments], log_name)


def _shop(environ: Environ) -> str:
    return f"http://127.0.0.1:{Ports.from_env(environ).nginx}"
