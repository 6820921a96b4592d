"""How a job under spark/jobs is submitted: connector, library path, memory and threads in one place.

The Python driver is the process that is started, and starts the JVM: so it gets the signals, and can end a stream
in order. PySpark hands PYSPARK_SUBMIT_ARGS to spark-submit for that JVM; it ends with its driver.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from faultline.config import REPOSITORY, Environ, Paths
from faultline.errors import ConfigError
from faultline.settings import read_int
from faultline.stack.jars import connector_jars, pyspark_home

JOBS = REPOSITORY / "spark" / "jobs"

_SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "5000",
    # A worker that hangs must not hold the stream for ever; idle ones stay, their model is loaded.
    "spark.python.worker.reuse": "true",
    "spark.sql.streaming.minBatchesToRetain": "10",
    "spark.sql.streaming.stopTimeout": "20s",
    # Progress holds what was observed, up to a row per anomaly of a batch: keep two, not a hundred.
    "spark.sql.streaming.numRecentProgressUpdates": "2",
    "spark.sql.adaptive.enabled": "false",  # not for streams; says so at every start
}


def find_job(job: str) -> Path:
    """Return the file of a job named with or without `.py`; ConfigError lists what there is."""
    path = JOBS / (job if job.endswith(".py") else f"{job}.py")
    if path.parent != JOBS or not path.is_file():
        known = ", ".join(sorted(found.name for found in JOBS.glob("*.py")))
        raise ConfigError("job", job, f"one of {known}")
    return path


def submit_command(job: str, args: Sequence[str], environ: Environ) -> tuple[list[str], dict[str, str]]:
    """Return argv and environment of a job's driver; fetches the connector on first use.

    FAULTLINE_SPARK_MASTER (default local[2]) and FAULTLINE_SPARK_DRIVER_MB (default 1024) size it.
    """
    return submit_file(find_job(job), args, environ)


def submit_file(path: Path, args: Sequence[str], environ: Environ) -> tuple[list[str], dict[str, str]]:
    """Return argv and environment of the driver for any Python file (benchmarks have their own)."""
    scratch = Paths.from_env(environ).home / "spark"
    scratch.mkdir(parents=True, exist_ok=True)
    settings = {**_SETTINGS, "spark.sql.warehouse.dir": str(scratch / "warehouse")}
    options = ["--master", environ.get("FAULTLINE_SPARK_MASTER", "local[2]")]
    options += ["--driver-memory", f"{read_int(environ, 'FAULTLINE_SPARK_DRIVER_MB', 1024, 512)}m"]
    options += [
        "--driver-java-options",
        f"-Dlog4j2.configurationFile={(REPOSITORY / 'spark' / 'log4j2.properties').as_uri()}",
    ]
    options += ["--jars", ",".join(map(str, connector_jars(environ)))]
    for key, value in settings.items():
        options += ["--conf", f"{key}={value}"]
    submit = shlex.join([*options, "pyspark-shell"])
    return [sys.executable, str(path), *args], {**_job_environment(environ, scratch), "PYSPARK_SUBMIT_ARGS": submit}


def _job_environment(environ: Environ, scratch: Path) -> dict[str, str]:
    """One thread per Python worker: two workers share two cores, and BLAS would start one thread per core."""
    threads = {
        name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ARROW_NUM_THREADS")
    }
    python = {"PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable, "PYTHONPATH": str(REPOSITORY)}
    return {
        **environ,
        **threads,
        **python,
        # The Spark of this environment, whatever else is installed; its launcher cannot find itself below a space.
        "SPARK_HOME": str(pyspark_home()),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(scratch),
        "PYTHONWARNINGS": "ignore",
    }
