"""Learn a model from what topic `logs` holds: five Spark jobs, one after the other."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from datetime import datetime

from faultline.config import Environ, Paths
from faultline.errors import StackError
from faultline.stack.progress import Progress
from faultline.stack.scripts import MARKER
from faultline.stack.spark_submit import submit_command

CANDIDATE = {"FAULTLINE_ALIAS": "candidate"}
EXTEND = {"FAULTLINE_BASE_ALIAS": "candidate"}
# What lines say is learned first, its templates are counted then; only the model with all parts becomes champion.
JOBS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("semantic_preprocessing.py", {}),
    ("semantic_train.py", CANDIDATE),
    ("structure_preprocessing.py", EXTEND),
    ("structure_train.py", CANDIDATE | EXTEND),
    ("root_cause_train.py", EXTEND),
)


def train(environ: Environ, progress: Progress, since: datetime | None = None) -> None:
    """Run the jobs; records that reached the broker before `since` are left out.

    The new model becomes champion; a running stream takes it over at a batch boundary. Raises StackError with the end
    of the job's log.
    """
    limits = {} if since is None else {"FAULTLINE_TRAIN_SINCE": since.isoformat()}
    for job, settings in JOBS:
        with progress.step(f"job {job}"):
            _run(job, {**environ, **settings, **limits})


def _run(job: str, environ: Environ) -> None:
    """Run a job to its end, its output in the log folder; it ends with us, however we end."""
    argv, job_environ = submit_command(job, (), environ)
    paths = Paths.from_env(environ)
    job_environ[MARKER] = str(paths.home)  # so that ./run down also ends a job whose parent was killed
    path = paths.logs / f"{job.removesuffix('.py')}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as log, subprocess.Popen(argv, env=job_environ, stdout=log, stderr=log) as process:
        try:
            status = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if status != 0:
        tail = "\n".join(path.read_text(errors="replace").splitlines()[-6:])
        raise StackError(f"job {job} ended with status {status}; the end of {path}:\n{tail}")
