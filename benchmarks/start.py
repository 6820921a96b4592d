"""Seconds from a fresh clone to the demo's report, and of a second run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from time import monotonic
from typing import Any

from benchmarks.workbench import Result, Workbench, free_offset
from faultline.config import REPOSITORY

FRESH_LIMIT, WARM_LIMIT = 300, 90


def measure(bench: Workbench) -> Result:
    """Clone what is committed into a new folder, without an environment, and run `./run demo` there twice."""
    bench.stack.down()
    with tempfile.TemporaryDirectory(prefix="faultline-start-") as folder:
        clone = Path(folder) / "faultline"
        subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(clone)], check=True)
        fresh_seconds, fresh = _demo(clone, bench)
        warm_seconds, warm = _demo(clone, bench)
    return {
        "fresh_report_seconds": round(fresh_seconds),
        "warm_report_seconds": round(warm_seconds),
        "warm_first_scored_seconds": warm["first_scored_seconds"],
        "fresh_first_scored_seconds": fresh["first_scored_seconds"],
        "alert_seconds": [fresh["alert_seconds"], warm["alert_seconds"]],
        "ratio_fresh_to_limit": round(fresh_seconds / FRESH_LIMIT, 3),
        "ratio_warm_first_scored_to_limit": round(warm["first_scored_seconds"] / WARM_LIMIT, 3),
        "download_cache": "empty for jars, model and environment; the package installer's own cache as found",
        "targets": {"fresh_report_seconds": "<= 300", "warm_first_scored_seconds": "<= 90"},
    }


def _demo(clone: Path, bench: Workbench) -> tuple[float, dict[str, Any]]:
    """Return seconds of one `./run demo`, set-up included, and the facts of its report."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("FAULTLINE_", "PYTHON"))}
    environ |= {"FAULTLINE_PORT_OFFSET": str(free_offset())}
    begin = monotonic()
    with bench.progress.step("./run demo in a fresh clone"):
        subprocess.run(["./run", "demo"], cwd=clone, env=environ, check=True, stdout=subprocess.DEVNULL)
    seconds = monotonic() - begin
    report = max((clone / "reports" / "demo").iterdir())
    facts: dict[str, Any] = json.loads((report / "facts.json").read_text())
    shutil.copy(report / "timeline.png", bench.paths.home / f"{report.name}.png")
    return seconds, facts
