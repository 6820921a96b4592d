"""Run benchmarks and keep their figures: `./run bench [NAME ...]`."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks import footprint, latency, memory, ranking, start, throughput
from benchmarks.workbench import Result, Workbench, open_workbench
from faultline.errors import ConfigError
from faultline.stack.progress import Progress

RESULTS = Path(__file__).parent / "results"
BENCHMARKS: dict[str, Callable[[Workbench], Result]] = {
    "footprint": footprint.measure,
    "throughput": throughput.measure,
    "memory": memory.measure,
    "latency": latency.measure,
    "start": start.measure,
    "ranking": ranking.measure,
}


def main(names: Sequence[str]) -> int:
    """Run the named benchmarks (default: all), one after the other, and rewrite the table."""
    for name in names:
        if name not in BENCHMARKS:
            raise ConfigError("benchmark", name, f"one of {', '.join(BENCHMARKS)}")
    RESULTS.mkdir(exist_ok=True)
    progress = Progress()
    for name in names or BENCHMARKS:
        with open_workbench(os.environ, progress) as bench:
            figures = BENCHMARKS[name](bench)
        progress.close()
        record = {"benchmark": name, "measured_at": datetime.now(UTC).isoformat(), "machine": _machine(), **figures}
        (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
        progress.note(f"{name}: {json.dumps({k: v for k, v in figures.items() if k != 'series'})}")
    (RESULTS / "README.md").write_text(_table())
    return 0


def _machine() -> dict[str, object]:
    memory_gib = round(psutil.virtual_memory().total / 2**30)
    return {"cores": psutil.cpu_count(), "memory_gib": memory_gib, "python": platform.python_version()}


def _table() -> str:
    """Return every kept figure as Markdown, with its target where there is one."""
    lines = ["# Figures", "", "Written by `./run bench`; do not edit.", ""]
    lines += ["| benchmark | figure | value | target |", "| --- | --- | ---: | --- |"]
    for path in sorted(RESULTS.glob("*.json")):
        record = json.loads(path.read_text())
        targets = record.pop("targets", {})
        for key in ("machine", "measured_at", "series", "benchmark"):
            record.pop(key, None)
        lines += [f"| {path.stem} | {name} | {value} | {targets.get(name, '')} |" for name, value in record.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
