import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from faultline.cli import cli, main
from faultline.config import REPOSITORY

VERBS = [
    "demo",
    "up",
    "down",
    "status",
    "logs",
    "train",
    "models",
    "promote",
    "finetune",
    "mlflow",
    "incidents",
    "feedback",
    "learned",
    "catalog",
    "spark",
    "test",
    "check",
    "bench",
    "chaos",
    "evaluate",
    "golden",
    "clean",
]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FAULTLINE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_no_verb_lists_every_verb_with_a_whole_line() -> None:
    output = CliRunner().invoke(cli, []).output
    listed = [line.split()[0] for line in output.splitlines() if line.startswith("  ") and line.rstrip().endswith(".")]
    assert [name for name in listed if name in VERBS] == VERBS
    assert "..." not in output.split("Commands:")[1]


def test_the_list_needs_no_heavy_import() -> None:
    script = "import sys; from faultline.cli import main; main([]); print(sorted(sys.modules), file=sys.stderr)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stderr
    for heavy in ("confluent_kafka", "pyspark", "numpy", "supervisor", "psutil"):
        assert f"'{heavy}'" not in loaded


def test_status_of_a_stack_that_is_down(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 3
    assert "kafka          down   127.0.0.1:" in capsys.readouterr().out


def test_down_when_nothing_is_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["down"]) == 0
    assert capsys.readouterr().out == "nothing was up\n"


def test_our_errors_have_no_traceback(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULTLINE_PORT_OFFSET", "many")
    assert main(["up"]) == 1
    assert capsys.readouterr().err == "error: FAULTLINE_PORT_OFFSET is 'many', expected a whole number, at least 0\n"


def test_unknown_program_lists_those_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["logs", "kafak"]) == 1
    assert "program is 'kafak', expected one of kafka, payments" in capsys.readouterr().err


def test_unknown_verb_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["upp"]) == 2
    assert "No such command 'upp'" in capsys.readouterr().err


def test_logs_prints_the_end(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "log").mkdir(parents=True)
    (home / "log" / "kafka.log").write_text("one\ntwo\nthree\n")
    assert main(["logs", "kafka", "-n", "2"]) == 0
    assert capsys.readouterr().out == "two\nthree\n"


def test_logs_of_a_program_that_never_ran(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["logs", "kafka"]) == 1
    assert "kafka.log does not exist: kafka has not run yet; ./run up starts it" in capsys.readouterr().err


def test_clean_without_an_answer_removes_nothing(home: Path) -> None:
    (home / "run").mkdir(parents=True)
    result = CliRunner().invoke(cli, ["clean"], input="", standalone_mode=False)
    assert "nothing was removed" in result.output
    assert home.exists()


def test_clean_removes_the_home(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "run").mkdir(parents=True)
    (home / "kafka").mkdir()
    assert main(["clean", "--yes"]) == 0
    assert not home.exists()


@pytest.mark.parametrize("folder", [REPOSITORY, REPOSITORY.parent, Path.home()])
def test_clean_refuses_a_home_that_holds_more(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULTLINE_HOME", str(folder))
    assert main(["clean", "--yes"]) == 1
    assert "holds more than Faultline's files; remove them by hand" in capsys.readouterr().err


def test_clean_refuses_a_folder_that_is_not_ours(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home.mkdir()
    assert main(["clean", "--yes"]) == 1
    assert "holds nothing of Faultline" in capsys.readouterr().err
