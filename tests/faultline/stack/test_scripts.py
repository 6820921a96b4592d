import subprocess
from pathlib import Path

from faultline.stack.program import Command
from faultline.stack.scripts import script_text


def run_script(command: Command, environ: dict[str, str]) -> list[str]:
    result = subprocess.run(
        ["sh"],
        input=script_text(command, environ),
        capture_output=True,
        text=True,
        check=True,
        env={"FAULTLINE_OLD": "x"},
    )
    return result.stdout.splitlines()


def test_any_path_and_value_survives_the_shell(tmp_path: Path) -> None:
    home = tmp_path / "a b;c#d'e\"f%g$h"
    (home / "run").mkdir(parents=True)
    environ = {"FAULTLINE_HOME": str(home), "FAULTLINE_SECRET": "it's `x` $y"}
    command = Command(["/bin/sh", "-c", 'pwd; echo "$FAULTLINE_SECRET"; echo "$EXTRA"; echo "$0"', "last 'argument'"])
    lines = run_script(Command(command.argv, 'EXTRA="$EXTRA!"', {"EXTRA": "a  b"}), environ)
    assert lines == [str(home / "run"), "it's `x` $y", "a  b!", "last 'argument'"]


def test_the_command_takes_the_place_of_the_shell(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    command = Command(["/bin/sh", "-c", "echo $PPID"], "echo $PPID")
    before, after = run_script(command, {"FAULTLINE_HOME": str(tmp_path)})
    assert before == after


def test_programs_get_the_settings_of_now_and_the_marker(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    environ = {"FAULTLINE_HOME": str(tmp_path), "FAULTLINE_TRAFFIC_RPS": "7", "HOME": "/root"}
    lines = run_script(Command(["/usr/bin/env"]), environ)
    assert {"FAULTLINE_TRAFFIC_RPS=7", f"FAULTLINE_STACK={tmp_path}", "PYTHONNOUSERSITE=1"} <= set(lines)
