"""The catalog generator as a script."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from faultline.catalog.reading import read_catalog
from faultline.config import REPOSITORY

SCRIPT = REPOSITORY / "spark" / "generate_cmdb.py"


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def test_catalog_holds_the_shop_and_others(tmp_path: Path) -> None:
    done = run("--others", "20", "--out", "mine.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    catalog = read_catalog([tmp_path / "mine.yaml"])
    assert catalog.problems == ()
    names = catalog.by_log_name()
    assert {"storefront", "orders", "payments", "inventory", "nginx"} <= set(names)
    assert f"{len(catalog.entities)} entities" in done.stdout


def test_bad_number_is_refused(tmp_path: Path) -> None:
    done = run("--others", "many", cwd=tmp_path)
    assert done.returncode == 2
    assert "'many' is not a valid integer" in done.stderr
