"""How a job's driver is started: its file, its settings, one thread a worker, memory as asked for."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from faultline.config import REPOSITORY
from faultline.errors import ConfigError
from faultline.stack import spark_submit
from faultline.stack.spark_submit import find_job, submit_command


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment in which nothing is fetched."""
    monkeypatch.setattr(spark_submit, "connector_jars", lambda environ: [Path("/jars/a.jar"), Path("/jars/b.jar")])
    return {"FAULTLINE_HOME": str(tmp_path), "PATH": "/usr/bin", "KEPT": "yes"}


def options(environ: dict[str, str]) -> list[str]:
    return shlex.split(submit_command("semantic_train", (), environ)[1]["PYSPARK_SUBMIT_ARGS"])


def after(arguments: list[str], option: str) -> str:
    return arguments[arguments.index(option) + 1]


@pytest.mark.parametrize("name", ["semantic_train", "semantic_train.py"])
def test_a_job_is_found_with_and_without_ending(name: str) -> None:
    assert find_job(name) == REPOSITORY / "spark" / "jobs" / "semantic_train.py"


@pytest.mark.parametrize("name", ["nothing", "", "../streams", "../../faultline/cli.py", "/etc/passwd"])
def test_what_is_no_job_is_refused_with_what_there_is(name: str) -> None:
    with pytest.raises(ConfigError, match=r"expected one of .*semantic_inference\.py, semantic_preprocessing\.py, sem"):
        find_job(name)


def test_the_driver_is_this_python_with_the_job_and_its_arguments(environ: dict[str, str]) -> None:
    argv, job_environ = submit_command("semantic_train", ("--a", "b c"), environ)
    assert argv == [sys.executable, str(REPOSITORY / "spark" / "jobs" / "semantic_train.py"), "--a", "b c"]
    assert (job_environ["KEPT"], job_environ["PYSPARK_PYTHON"]) == ("yes", sys.executable)
    assert job_environ["PYTHONPATH"] == str(REPOSITORY)


def test_workers_compute_with_one_thread(environ: dict[str, str]) -> None:
    job_environ = submit_command("semantic_train", (), environ)[1]
    assert {job_environ[f"{name}_NUM_THREADS"] for name in ("OMP", "OPENBLAS", "MKL", "ARROW")} == {"1"}


def test_master_memory_and_connector_are_passed_on(environ: dict[str, str]) -> None:
    found = options({**environ, "FAULTLINE_SPARK_MASTER": "local[1]", "FAULTLINE_SPARK_DRIVER_MB": "700"})
    assert (after(found, "--master"), after(found, "--driver-memory")) == ("local[1]", "700m")
    assert after(found, "--jars") == "/jars/a.jar,/jars/b.jar"
    assert found[-1] == "pyspark-shell"


def test_everything_listens_on_loopback_and_counts_in_utc(environ: dict[str, str]) -> None:
    found = options(environ)
    for setting in ("spark.driver.bindAddress=127.0.0.1", "spark.ui.enabled=false", "spark.sql.session.timeZone=UTC"):
        assert setting in found
    assert submit_command("semantic_train", (), environ)[1]["SPARK_LOCAL_IP"] == "127.0.0.1"


def test_a_home_with_a_space_stays_one_argument(environ: dict[str, str], tmp_path: Path) -> None:
    home = tmp_path / "my home"
    assert f"spark.sql.warehouse.dir={home}/spark/warehouse" in options({**environ, "FAULTLINE_HOME": str(home)})


def test_too_little_memory_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="FAULTLINE_SPARK_DRIVER_MB is '100', expected a whole number, at least 512"):
        submit_command("semantic_train", (), {**environ, "FAULTLINE_SPARK_DRIVER_MB": "100"})
