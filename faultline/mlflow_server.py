"""How MLflow's pages are opened over the embedded registry: one worker on loopback, and none of its job runners."""

from __future__ import annotations

import sys
from pathlib import Path

from faultline.aliases import SQLITE
from faultline.config import Environ, Ports, registry_uri
from faultline.errors import ConfigError
from faultline.mlflow_client import QUIET
from faultline.stack.prerequisites import check_ports


def server_command(environ: Environ) -> tuple[list[str], dict[str, str], str]:
    """Return argv, environment and address; creates the folder of the registry.

    Raises ConfigError when FAULTLINE_MLFLOW names a server, which has its own pages, StackError for a taken port.
    """
    uri, port = registry_uri(environ), Ports.from_env(environ).mlflow
    if not uri.startswith(SQLITE):
        raise ConfigError("FAULTLINE_MLFLOW", uri, "the embedded registry; a server has its pages at that address")
    check_ports({port: "mlflow"})
    folder = Path(uri.removeprefix(SQLITE)).parent
    folder.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-W", "ignore", "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    argv += ["--workers", "1", "--backend-store-uri", uri, "--artifacts-destination", str(folder / "artifacts")]
    # Seven processes of 180 MB each that would wait for evaluation jobs of MLflow's own.
    settings = {**QUIET, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}
    return argv, {**environ, **settings}, f"http://127.0.0.1:{port}"
