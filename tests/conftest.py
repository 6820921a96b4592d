"""Fixtures for every test: a real broker, and topics that belong to one test."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from hypothesis import HealthCheck, settings

from faultline.config import Paths, Ports
from faultline.kafka_io import create_topics
from faultline.registry import Registry
from faultline.stack.prerequisites import is_port_free

TopicFactory = Callable[..., str]

# Time limits measure how busy the machine is, not whether the code is right.
settings.register_profile("faultline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("faultline")


def require_java() -> None:
    """Skip without Java on a person's machine; in CI (CI=true) its absence is a failure."""
    if shutil.which("java") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("java is not on PATH; CI must have Java 17 or 21, no integration test may be skipped")
        pytest.skip("java is not on PATH; install Java 17 or 21 to run the integration tests")


def free_port_offset() -> int:
    """Return a FAULTLINE_PORT_OFFSET with which every port of the stack is free right now."""
    for _ in range(100):
        # Every port stays below 32768, where the kernel begins to hand out ports to clients.
        offset = random.randrange(2000, 13000)
        if all(is_port_free(int(str(field.default)) + offset) for field in fields(Ports)):
            return offset
    raise AssertionError("no free port offset in 100 tries")


def stack_environ(home: Path) -> dict[str, str]:
    """Return an environment for a stack of its own in `home`; jars are shared, they take half a minute to fetch."""
    jars = Paths.from_env(os.environ).jars
    jars.mkdir(parents=True, exist_ok=True)
    home.mkdir(parents=True, exist_ok=True)
    (home / "jars").symlink_to(jars)
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("FAULTLINE_")}
    kept = {key: os.environ[key] for key in ("FAULTLINE_IVY_SETTINGS",) if key in os.environ}
    return {
        **inherited,
        **kept,
        "FAULTLINE_HOME": str(home),
        "FAULTLINE_PORT_OFFSET": str(free_port_offset()),
    }


@pytest.fixture
def make_stack_environ() -> Callable[[Path], dict[str, str]]:
    """The function `stack_environ`, for tests that start a stack of their own; skips without Java."""
    require_java()
    return stack_environ


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of a real broker: TEST_KAFKA_BOOTSTRAP, or one that lives as long as the test session."""
    given = os.environ.get("TEST_KAFKA_BOOTSTRAP")
    if given:
        yield given
        return
    require_java()
    from faultline.stack.lifecycle import Stack

    environ = stack_environ(tmp_path_factory.mktemp("broker") / "home")
    stack = Stack.from_env(environ)
    try:
        stack.up(["kafka"])
        yield stack.program("kafka").address
    finally:
        stack.down()


@pytest.fixture
def topics(kafka_bootstrap: str) -> Iterator[TopicFactory]:
    """A function `topics(name="topic", partitions=1, config=None)` that creates a topic and returns its unique name."""
    made: list[str] = []

    def make(name: str = "topic", partitions: int = 1, config: dict[str, str] | None = None) -> str:
        unique = f"{name}-{uuid4().hex}"
        create_topics(kafka_bootstrap, [NewTopic(unique, partitions, 1, config=config or {})])
        made.append(unique)
        return unique

    yield make
    if made:
        admin = AdminClient({"bootstrap.servers": kafka_bootstrap})
        for future in admin.delete_topics(made, operation_timeout=10).values():
            future.result()


@pytest.fixture(scope="session")
def registry_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty registry: MLflow takes seconds to make its database, a copy takes none."""
    folder = tmp_path_factory.mktemp("registry")
    Registry(f"sqlite:///{folder / 'mlflow.db'}").check()
    return folder / "mlflow.db"


@pytest.fixture
def registry(registry_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """A model registry of its own, embedded and empty."""
    folder = tmp_path_factory.mktemp("registry")
    shutil.copy(registry_template, folder)
    return Registry(f"sqlite:///{folder / 'mlflow.db'}")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite-golden", action="store_true", help="write golden files instead of comparing with them")


@pytest.fixture
def rewrite_golden(request: pytest.FixtureRequest) -> bool:
    """True under `./run golden`: a golden test then writes its file."""
    return bool(request.config.getoption("--rewrite-golden"))
