"""`./run check`: every check that reads the sources and configuration and changes none of them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import click

from faultline.config import REPOSITORY, Environ
from faultline.errors import StackError
from faultline.stack.prerequisites import require_program
from faultline.stack.rendering import render, template_values


def run_checks(environ: Environ) -> None:
    """Run all checks, show what each failing one says, and raise StackError naming them when there are any."""
    with tempfile.TemporaryDirectory(prefix="faultline-check-") as folder:
        failed = [name for name, argv in _commands(Path(folder), environ) if not _passes(name, argv)]
    if failed:
        raise StackError(f"{len(failed)} of the checks failed: {', '.join(failed)}; what they say is above")


def _commands(folder: Path, environ: Environ) -> list[tuple[str, list[str]]]:
    """Return name and command of each check; configuration is checked as it is rendered, in `folder`."""
    values = template_values(environ, user_id=1)
    prometheus = render(Path("prometheus/prometheus.yml"), folder, values)
    alertmanager = render(Path("prometheus/alertmanager.yml"), folder, values)
    promtool, amtool = require_program("promtool", environ), require_program("amtool", environ)
    rule_tests = sorted(map(str, (REPOSITORY / "tests" / "prometheus").glob("*.yaml")))
    commands = [
        ("ruff check", [sys.executable, "-m", "ruff", "check"]),
        ("ruff format", [sys.executable, "-m", "ruff", "format", "--check"]),
        ("mypy", [sys.executable, "-m", "mypy"]),
        ("promtool check config", [promtool, "check", "config", str(prometheus)]),
        ("amtool check-config", [amtool, "check-config", str(alertmanager)]),
    ]
    if rule_tests:
        commands.append(("promtool test rules", [promtool, "test", "rules", *rule_tests]))
    return commands


def _passes(name: str, argv: Sequence[str]) -> bool:
    start = monotonic()
    result = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    passed = result.returncode == 0
    click.echo(f"{'ok' if passed else 'FAILED':<7} {name} ({monotonic() - start:.1f} s)")
    if not passed:
        click.echo((result.stdout + result.stderr).rstrip())
    return passed
