"""Fixtures for models and stream: one encoder, one small trained model and one Spark session a test run."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from faultline.artifact import publish, write_manifest
from faultline.config import REPOSITORY
from faultline.records import Event, Severity, SourceType
from spark.models.embedder import ensure_encoder
from spark.models.features import FEATURES_VERSION
from spark.models.masking import mask_texts
from spark.models.semantic import SemanticModel
from spark.models.semantic_training import Budget, CountedLine, train

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
NORMAL = (
    "INFO order <NUM> placed for customer <NUM>: <NUM> items",
    "INFO charged <NUM> EUR for order <NUM>",
    "WARN slow query took <NUM> ms",
    "INFO reserved <NUM> items of article <ID>",
)


def make_event(**changes: Any) -> Event:
    """Return an event that is good in every respect, with some fields changed."""
    fields: dict[str, Any] = {
        "attributes": {},
        "body": "order 5 placed for customer 7: 3 items",
        "event_id": "e1",
        "host_name": "localhost",
        "measures": {},
        "observed_timestamp": NOON,
        "service_name": "orders",
        "severity": Severity.INFO,
        "source_type": SourceType.APP_CONTAINER_LOG,
        "timestamp": NOON,
        "trace_id": "",
    }
    return Event(**{**fields, **changes})


def mask_one(text: str) -> str:
    """Return one masked text."""
    return str(mask_texts(pa.array([text], pa.string()))[0].as_py())


def normal_lines(buckets: int = 40, source_type: str = "app_container_log") -> list[CountedLine]:
    """Return some minutes of normal time; one template appears only in the time that is held out."""
    lines = [
        CountedLine(source_type, "orders", text, NOON + timedelta(seconds=5 * i), 10)
        for i in range(buckets)
        for text in NORMAL
    ]
    late = NOON + timedelta(seconds=5 * (buckets - 2))
    return [*lines, CountedLine(source_type, "orders", "INFO cache of articles renewed", late, 1)]


@pytest.fixture(scope="session")
def event() -> Callable[..., Event]:
    """The function `make_event`."""
    return make_event


@pytest.fixture(scope="session")
def mask() -> Callable[[str], str]:
    """The function `mask_one`."""
    return mask_one


@pytest.fixture(scope="session")
def normal() -> Callable[..., list[CountedLine]]:
    """The function `normal_lines`."""
    return normal_lines


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The MiniLM encoder, built once (about 3 s)."""
    return ensure_encoder(tmp_path_factory.mktemp("models") / "encoder")[0]


@pytest.fixture(scope="session")
def model_folder(encoder: Path) -> Path:
    """A published model of `normal_lines`, for tests that load it; never written to."""
    models = encoder.parent.parent
    model = train(normal_lines(), encoder, Budget(1.0, 0.3))
    model.save(models / "work", trained_at=NOON.isoformat(), services=["orders"])
    return publish(models / "work", models)


@pytest.fixture
def model(model_folder: Path) -> SemanticModel:
    """That model, loaded afresh: caches are empty."""
    return SemanticModel.load(model_folder)


def make_variant(model_folder: Path, models: Path, note: str, **facts: Any) -> Path:
    """Publish a model below `models` that differs from the trained one in a note only, so it scores alike."""
    work = models / "work"
    shutil.copytree(model_folder, work)
    if not (models / "encoder").exists():
        (models / "encoder").symlink_to(model_folder.parent / "encoder")
    state = json.loads((work / "model.json").read_text())
    (work / "model.json").write_text(json.dumps({**state, "note": note}))
    known = {"features": FEATURES_VERSION, "trained_at": NOON.isoformat(), "services": ["orders"]}
    write_manifest(work, **{**known, **facts})
    return publish(work, models)


@pytest.fixture
def variant(model_folder: Path) -> Callable[..., Path]:
    """The function `variant(models, note, **facts)`: another version of the trained model, see `make_variant`."""
    return partial(make_variant, model_folder)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """Spark in this process, two threads and 1 GB, with the Kafka connector."""
    if shutil.which("java") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("java is not on PATH; CI must have Java 17 or 21, no integration test may be skipped")
        pytest.skip("java is not on PATH; install Java 17 or 21 to run the integration tests")
    from faultline.stack.jars import connector_jars

    builder = SparkSession.builder.master("local[2]").appName("tests").config("spark.driver.memory", "1g")
    settings = {
        "spark.jars": ",".join(map(str, connector_jars(os.environ))),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": str(tmp_path_factory.mktemp("spark")),
        "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse")),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "100",
    }
    for key, value in settings.items():
        builder = builder.config(key, value)
    with pytest.MonkeyPatch.context() as environ:
        environ.setenv("PYSPARK_PYTHON", sys.executable)  # the workers' Python, and what they import
        environ.setenv("PYTHONPATH", str(REPOSITORY))
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
        yield session
        session.stop()
