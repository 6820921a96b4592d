"""A client of MLflow that is quiet: no telemetry, no progress bars, no warnings of its libraries, no long retries."""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from faultline.aliases import SQLITE
from faultline.errors import RegistryUnavailable

if TYPE_CHECKING:
    from mlflow import MlflowClient

QUIET: Final = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "GIT_PYTHON_REFRESH": "quiet",
    # Its own default is seven tries, each up to two minutes: a server that is down would look like a hang.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


def connect(uri: str) -> MlflowClient:
    """Return a client of the registry at `uri`; a SQLite file is created when it is not there (about 3 s, once).

    The import takes 3 s. Raises RegistryUnavailable when the store cannot be opened.
    """
    for key, value in QUIET.items():
        os.environ.setdefault(key, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with warnings.catch_warnings(), faults_of(uri), _one_at_a_time(uri):
        warnings.simplefilter("ignore")  # SQLAlchemy's, about MLflow's use of it
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        client.search_registered_models(max_results=1)
    return client


@contextmanager
def faults_of(uri: str) -> Iterator[None]:
    """Turn every error of MLflow and what it stands on into RegistryUnavailable."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        text = f"model registry {uri}: {str(error).strip() or repr(error)}; check FAULTLINE_MLFLOW and what it names"
        raise RegistryUnavailable(text) from error


@contextmanager
def _one_at_a_time(uri: str) -> Iterator[None]:
    """Two processes that create the same database at once would break each other's migration."""
    if not uri.startswith(SQLITE):
        yield
        return
    folder = Path(uri.removeprefix(SQLITE)).parent
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        _open_once(Path(uri.removeprefix(SQLITE)))
        yield


def _open_once(path: Path) -> None:
    """MLflow tries for two minutes to open a file that is no database, or may not be written."""
    try:
        with closing(sqlite3.connect(path)) as base:
            base.execute("PRAGMA schema_version")
    except sqlite3.Error as error:
        text = f"model registry {path}: {error}, expected a database of MLflow, or none yet; check FAULTLINE_MLFLOW"
        raise RegistryUnavailable(text) from error
