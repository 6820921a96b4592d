"""A broker of its own, a model trained on the benchmark's templates, and jobs over them."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from confluent_kafka.admin import NewTopic

from benchmarks.events import make_records, make_templates
from faultline.config import REPOSITORY, Paths, Ports, TrainConfig, kafka_bootstrap
from faultline.kafka_io import create_topics, declared_topics
from faultline.registry import Registry
from faultline.stack.lifecycle import Stack
from faultline.stack.prerequisites import is_port_free
from faultline.stack.progress import Progress
from faultline.stack.spark_submit import submit_file
from spark.models import structured_release
from spark.models.counting import COUNT_SCHEMA, count_batch, facts_batch
from spark.models.scoring import count_facts, load_model
from spark.models.semantic import SemanticModel
from spark.models.semantic_release import release

TEMPLATES = 2000
CANDIDATE = "candidate"


@dataclass(frozen=True)
class Workbench:
    """A running broker below a folder that goes away with it."""

    environ: dict[str, str]
    stack: Stack
    progress: Progress

    @property
    def bootstrap(self) -> str:
        return kafka_bootstrap(self.environ)

    @property
    def paths(self) -> Paths:
        return Paths.from_env(self.environ)

    def topic(self, name: str) -> dict[str, str]:
        """Create topics of their own for one measurement; return the environment that points to them."""
        declared = declared_topics(REPOSITORY / "kafka" / "topics.yaml")
        create_topics(self.bootstrap, [_renamed(topic, f"{name}-{topic.topic}") for topic in declared])
        kinds = {"LOGS": "logs", "DEAD_LETTER": "logs-dead-letter", "ANOMALIES": "anomalies"}
        return {**self.environ, **{f"FAULTLINE_TOPIC_{key}": f"{name}-{kind}" for key, kind in kinds.items()}}

    def run_query(self, mode: str, environ: Mapping[str, str], checkpoint: str) -> list[dict[str, float]]:
        """Run one pass of benchmarks/query.py in a process of its own; return rows and seconds per micro-batch."""
        result = self.paths.home / f"{checkpoint}.json"
        extra = {"FAULTLINE_CHECKPOINT": str(self.paths.home / checkpoint), "FAULTLINE_ONCE": "1"}
        argv, job = submit_file(REPOSITORY / "benchmarks" / "query.py", [mode, str(result)], {**environ, **extra})
        log = self.paths.home / f"{checkpoint}.log"
        with log.open("wb") as output:
            subprocess.run(argv, env=job, stdout=output, stderr=output, check=True)
        batches: list[dict[str, float]] = json.loads(result.read_text())
        return batches

    def train(self, templates: list[str]) -> Path:
        """Train on records of the templates, spread over a minute of normal time, as `./run train` does."""
        begin = datetime.now(UTC) - timedelta(minutes=2)
        values = list(make_records(12 * len(templates), templates))
        registry = Registry.from_env(self.environ)
        tables = [_counted(values[i::12], begin + timedelta(seconds=5 * i)) for i in range(12)]
        release(
            pa.concat_tables(tables), TrainConfig.from_env({**self.environ, "FAULTLINE_ALIAS": CANDIDATE}), registry
        )
        config = TrainConfig.from_env({**self.environ, "FAULTLINE_BASE_ALIAS": CANDIDATE})
        model = load_model(str(config.base.resolve()))
        facts = [_facts(model, values[i::60], begin + timedelta(seconds=i)) for i in range(60)]
        return structured_release.release(pa.concat_tables(facts), config, registry)


def _renamed(topic: NewTopic, name: str) -> NewTopic:
    return NewTopic(name, num_partitions=topic.num_partitions, replication_factor=1, config=topic.config)


def _counted(values: list[bytes], moment: datetime) -> pa.Table:
    batch = pa.RecordBatch.from_pydict({"value": pa.array(values, pa.binary())})
    table = pa.Table.from_batches([count_batch(batch)])
    stamps = pa.array([moment] * len(table), COUNT_SCHEMA.field("bucket").type)
    return table.set_column(COUNT_SCHEMA.names.index("bucket"), "bucket", stamps)


def _facts(model: SemanticModel, values: list[bytes], moment: datetime) -> pa.Table:
    stamps = pa.array([moment] * len(values), pa.timestamp("us", tz="UTC"))
    partitions = pa.array([0] * len(values), pa.int32())
    columns = {"value": pa.array(values, pa.binary()), "timestamp": stamps, "partition": partitions}
    batch = pa.RecordBatch.from_pydict(columns)
    return pa.Table.from_batches([facts_batch(count_facts(model, batch))])


@contextmanager
def open_workbench(environ: Mapping[str, str], progress: Progress) -> Iterator[Workbench]:
    """Start a broker on free ports in a temporary folder; stop and remove both at the end."""
    jars = Paths.from_env(environ).jars
    jars.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="faultline-bench-") as home:
        (Path(home) / "jars").symlink_to(jars)
        private = {**environ, "FAULTLINE_HOME": home, "FAULTLINE_PORT_OFFSET": str(free_offset())}
        stack = Stack.from_env(private, progress)
        try:
            stack.up(["kafka"])
            yield Workbench(private, stack, progress)
        finally:
            stack.down()


def free_offset() -> int:
    """Return a port offset, below the ephemeral range, at which every port of the stack is free."""
    for offset in range(11000, 13000, 50):
        if all(is_port_free(port + offset) for port in vars(Ports()).values()):
            return offset
    raise OSError("no free port offset between 11000 and 13000")


def standard_templates() -> list[str]:
    """Return the templates every measurement uses."""
    return make_templates(TEMPLATES)


def counts_of(batches: list[dict[str, float]]) -> Counter[str]:
    """Return total rows and seconds of all micro-batches but the first, which starts workers and loads the model."""
    total: Counter[str] = Counter()
    for batch in batches[1:]:
        total["rows"] += int(batch["rows"])
        total["milliseconds"] += round(batch["seconds"] * 1000)
    return total


def percentile(values: list[float], share: float) -> float:
    """Return the value below which `share` of the sorted values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


Result = dict[str, Any]
