"""Everything that must be in place before programs start: requirements, jars, folders, rendered configuration."""

from __future__ import annotations

import os
from collections.abc import Sequence

from faultline.config import Environ, Paths
from faultline.stack import prerequisites, rendering
from faultline.stack.debian import ensure_programs
from faultline.stack.jars import connector_jars, kafka_classpath
from faultline.stack.program import Program
from faultline.stack.progress import Progress


def prepare(programs: Sequence[Program], environ: Environ, progress: Progress) -> None:
    """Check and write all that `programs`, none of which runs, need to start; raises StackError with what to do."""
    paths = Paths.from_env(environ)
    prerequisites.check_disk(paths.home)
    tools = sorted({tool for program in programs for tool in program.tools})
    ensure_programs(tools, environ, progress)
    if "java" in tools:
        prerequisites.check_java(environ)
    prerequisites.check_ports({port: program.name for program in programs for port in program.ports})
    _fetch_jars({program.name for program in programs}, environ, progress)
    for folder in (paths.run, paths.logs, paths.watched_logs / "nginx"):
        folder.mkdir(parents=True, exist_ok=True)
    values = rendering.template_values(environ, os.geteuid())
    for template in {template for program in programs for template in program.templates}:
        rendering.render(template, paths.run, values)


def _fetch_jars(names: set[str], environ: Environ, progress: Progress) -> None:
    for name, prefix, fetch in (
        ("kafka", "kafka-", kafka_classpath),
        ("stream", "spark-kafka-", connector_jars),
    ):
        if name not in names:
            continue
        if any(Paths.from_env(environ).jars.glob(f"{prefix}*")):
            fetch(environ)  # there already, or another version than the one asked for now
            continue
        with progress.step(f"fetching the jars of {name} (once)"):
            fetch(environ)
