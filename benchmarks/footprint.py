"""Size of what a user installs, and what the streaming path imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.workbench import Result, Workbench
from faultline.config import REPOSITORY

_PROBE = (
    "import sys, spark.models.scoring, spark.models.embedder, onnxruntime, tokenizers; print('torch' in sys.modules)"
)


def measure(bench: Workbench) -> Result:
    """Sum the base requirements' files (developer tools left out) and the jars; torch must not be imported."""
    installed = _base_bytes()
    jars = sum(path.stat().st_size for path in bench.paths.jars.resolve().rglob("*.jar"))
    probe = subprocess.run([sys.executable, "-c", _PROBE], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return {
        "environment_gb": round(installed / 1e9, 2),
        "jars_gb": round(jars / 1e9, 2),
        "ratio_to_limit": round((installed + jars) / 1.5e9, 3),
        "torch_imported": probe.stdout.strip() == "True",
        "targets": {"environment_gb": "<= 1.5", "torch_imported": False},
    }


def _base_bytes() -> int:
    from importlib.metadata import distribution, distributions

    lock = (REPOSITORY / "requirements" / "base.txt").read_text()
    locked = {line.split("==")[0] for line in lock.splitlines() if line[:1].isalnum()}
    names = {d.name.lower().replace("_", "-") for d in distributions()} & locked
    files = (Path(str(file.locate())) for name in names for file in distribution(name).files or ())
    return sum(path.stat().st_size for path in files if path.is_file())
