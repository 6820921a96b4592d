"""A champion that changes under a running query: no batch mixes two models, a repeated one gets the same again."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.streaming.query import StreamingQuery

from faultline.activations import LEAD, Activations
from faultline.anomalies import Anomaly
from faultline.records import Event, Severity
from spark import streams

pytestmark = [
    pytest.mark.integration,
    # PySpark leaves the sockets of collect() and of the callback server to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]
RAW = pa.schema(
    [
        ("value", pa.binary()),
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
    ]
)
ROWS = 20  # a file; a micro-batch is two files, two partitions: both workers look the version up


class Scene:
    """Files that arrive one a micro-batch, two versions of a model, and what came out of each batch."""

    def __init__(self, spark: SparkSession, event: Callable[..., Event], folder: Path, versions: list[str]) -> None:
        self._spark, self._event, self._folder = spark, event, folder
        self.first, self.second = versions
        self.activations = Activations(folder / "checkpoint.models", folder / "models")
        self.batches: dict[int, list[Anomaly]] = defaultdict(list)
        self.sent: list[str] = []
        (folder / "raw").mkdir()

    def arrive(self) -> None:
        """Let two files of abnormal lines arrive, each whole at once."""
        for _ in range(2):
            ids = [f"e{len(self.sent) + number}" for number in range(ROWS)]
            rows = [
                {
                    "value": self._abnormal(name),
                    "topic": "logs",
                    "partition": 0,
                    "offset": 0,
                    "timestamp": datetime.now(UTC),
                }
                for name in ids
            ]
            name = f"{len(self.sent):06}.parquet"
            pq.write_table(pa.Table.from_pylist(rows, RAW), self._folder / name)
            (self._folder / name).rename(self._folder / "raw" / name)
            self.sent += ids

    def _abnormal(self, event_id: str) -> bytes:
        return self._event(body="payments failed: refused", severity=Severity.ERROR, event_id=event_id).to_bytes()

    def done(self) -> bool:
        """True when all that arrived has come out."""
        return sum(map(len, self.batches.values())) >= len(self.sent)

    @contextmanager
    def running(self) -> Iterator[StreamingQuery]:
        """Run the query until the end of the block."""
        reader = self._spark.readStream.schema(from_arrow_schema(RAW)).option("maxFilesPerTrigger", 2)
        scored = streams.score_events(reader.parquet(str(self._folder / "raw")), self.activations)
        writer = scored.writeStream.foreachBatch(self._keep)
        query = writer.option("checkpointLocation", str(self._folder / "checkpoint")).start()
        try:
            yield query
            assert query.exception() is None
        finally:
            query.stop()

    def _keep(self, outcomes: DataFrame, batch: int) -> None:
        self.batches[batch] += [Anomaly.from_bytes(bytes(row.record)) for row in outcomes.select("record").collect()]

    def versions(self) -> list[set[str]]:
        """Return the versions that scored each batch."""
        return [{anomaly.model_version for anomaly in self.batches[number]} for number in sorted(self.batches)]

    def forget_commit(self) -> None:
        """Leave the last batch planned but not committed, as a crash in the middle of it does."""
        commits = self._folder / "checkpoint" / "commits"
        last = max(int(path.name) for path in commits.iterdir() if path.name.isdigit())
        (commits / str(last)).unlink()
        (commits / f".{last}.crc").unlink(missing_ok=True)


@pytest.fixture
def scene(spark: SparkSession, event: Callable[..., Event], variant: Callable[..., Path], tmp_path: Path) -> Scene:
    models = tmp_path / "models"
    models.mkdir()
    return Scene(spark, event, tmp_path, [variant(models, note).name for note in ("one", "two")])


def until(found: Callable[[], Any], accept: Callable[[Any], bool], seconds: float = 60.0) -> None:
    """Poll until a value is accepted; show the last value when none is."""
    end = time.monotonic() + seconds
    while not accept(last := found()):
        assert time.monotonic() < end, last
        time.sleep(0.05)


def test_a_new_champion_takes_over_between_two_batches_and_no_line_is_lost(scene: Scene) -> None:
    scene.activations.activate(scene.first, datetime.now(UTC))
    scene.arrive()
    with scene.running():
        until(scene.versions, bool)
        scene.activations.activate(scene.second, datetime.now(UTC) + LEAD)

        def newest() -> set[str]:
            if scene.done():
                scene.arrive()
            return scene.versions()[-1]

        until(newest, lambda versions: versions == {scene.second})
        until(scene.done, bool)
    versions = [version for used in scene.versions() for version in sorted(used)]
    assert len(versions) == len(scene.batches)  # one a batch
    assert [version for version, _ in groupby(versions)] == [scene.first, scene.second]
    ids = [anomaly.event_id for batch in scene.batches.values() for anomaly in batch]
    assert sorted(ids) == sorted(scene.sent)


def test_a_batch_that_is_repeated_is_scored_by_the_model_of_its_time(scene: Scene) -> None:
    scene.activations.activate(scene.first, datetime.now(UTC))
    scene.arrive()
    with scene.running() as query:
        query.processAllAvailable()
    before = dict(scene.batches)
    scene.forget_commit()
    scene.batches.clear()
    scene.activations.activate(scene.second, datetime.now(UTC) + timedelta(milliseconds=1))
    scene.arrive()
    with scene.running() as query:
        query.processAllAvailable()
    assert scene.versions() == [{scene.first}, {scene.second}]
    assert sorted(a.event_id for a in scene.batches[0]) == sorted(a.event_id for a in before[0])
