"""A process ends with one clear line and status 1 for an error of ours, with a traceback for any other."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from faultline.config import REPOSITORY


def run_main(body: str) -> subprocess.CompletedProcess[str]:
    program = f"""
from faultline.entry import run
from faultline.errors import ConfigError
def main(environ):
    {body}
run("orders", main)
"""
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY), "SETTING": "set"}
    return subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=False)


def test_an_error_of_ours_is_one_line_and_status_1() -> None:
    result = run_main("raise ConfigError('FAULTLINE_X', 5, 'a word')")
    record = json.loads(result.stderr)
    assert (result.returncode, record["level"], record["service"]) == (1, "ERROR", "orders")
    assert (record["message"], record["error"]) == ("FAULTLINE_X is 5, expected a word", "ConfigError")


def test_any_other_error_keeps_its_traceback() -> None:
    result = run_main("raise ValueError('a fault of the program')")
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert result.stderr.endswith("ValueError: a fault of the program\n")


def test_main_gets_the_environment_and_its_end_is_status_0() -> None:
    result = run_main("print(environ['SETTING'])")
    assert (result.returncode, result.stdout, result.stderr) == (0, "set\n", "")
