"""MLflow's pages over the embedded registry, and the same server as a registry of other machines."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from faultline.artifact import read_manifest, write_manifest
from faultline.errors import ConfigError, StackError
from faultline.mlflow_server import server_command
from faultline.registry import Registry, Training


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_server_listens_on_loopback_over_the_embedded_registry(tmp_path: Path) -> None:
    port = free_port()
    environ = {"FAULTLINE_HOME": str(tmp_path), "FAULTLINE_PORT_MLFLOW": str(port)}
    argv, environment, address = server_command(environ)
    assert address == f"http://127.0.0.1:{port}"
    assert argv[argv.index("--host") + 1] == "127.0.0.1"
    assert argv[argv.index("--backend-store-uri") + 1] == Registry.from_env(environ).uri
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == environment["DO_NOT_TRACK"] == "true"
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"


def test_a_server_elsewhere_has_its_own_pages() -> None:
    with pytest.raises(ConfigError, match="expected the embedded registry; a server has its pages at that address"):
        server_command({"FAULTLINE_MLFLOW": "http://mlflow:5000"})


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StackError, match=f"port {port} of mlflow is taken"):
            server_command({"FAULTLINE_HOME": str(tmp_path), "FAULTLINE_PORT_MLFLOW": str(port)})


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """Run the server as `./run mlflow` does; end it as Ctrl-C does."""
    port = free_port()
    argv, environment, address = server_command(
        {**os.environ, "FAULTLINE_HOME": str(home), "FAULTLINE_PORT_MLFLOW": str(port)}
    )
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(argv, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        end = time.monotonic() + 120
        while not answers(f"{address}/health"):
            assert process.poll() is None and time.monotonic() < end, (home / "server.log").read_text()[-2000:]
            time.sleep(0.1)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(60)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.integration
@pytest.mark.slow
def test_another_machine_registers_promotes_and_fetches(registry_template: Path, tmp_path: Path) -> None:
    (tmp_path / "mlflow").mkdir()
    shutil.copy(registry_template, tmp_path / "mlflow")
    folder = tmp_path / "made"
    (folder / "minilm").mkdir(parents=True)
    (folder / "model.json").write_text("state")
    (folder / "minilm" / "nearest").write_text("vectors")
    write_manifest(folder)
    with serving(tmp_path) as address:
        registry = Registry(address)
        assert (registry.champion(), registry.versions()) == (None, [])
        version = registry.record_training(folder, Training("semantic_train", {"budget": 1.0}, {"lines": 3.0}, {}))
        assert registry.champion() is None
        registry.promote(version)
        assert registry.champion() == version
        fetched = registry.fetch(version, tmp_path / "models")
        assert read_manifest(fetched)["version"] == version.content
        assert httpx.get(address, timeout=30).text.startswith("<!doctype html>")
    assert Registry.from_env({"FAULTLINE_HOME": str(tmp_path)}).champion() == version
