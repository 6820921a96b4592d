"""One timed pass over topic `logs` as it stands, as a job of its own: `query.py MODE RESULT`.

ceiling   read, parse from JSON with Spark's own from_json, drop: what Spark alone can do with these records
semantic  what lines say: decode, template, score, anomalies and dead letters to Kafka
combined  the pipeline as it streams: that, and what numbers do, joined per service
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.listener import StreamingQueryListener
from pyspark.sql.streaming.query import StreamingQuery

from faultline.config import StreamConfig
from spark import streams

RECORD_DDL = (
    "attributes map<string,string>, body string, event_id string, host_name string, measures map<string,double>,"
    " observed_timestamp timestamp, service_name string, severity string, source_type string, timestamp timestamp,"
    " trace_id string"
)


class Batches(StreamingQueryListener):
    """Keeps rows and seconds of every micro-batch."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def onQueryStarted(self, event: Any) -> None: ...

    def onQueryProgress(self, event: Any) -> None:
        progress = event.progress
        seconds = progress.durationMs.get("triggerExecution", 0) / 1000
        self.rows.append({"rows": progress.numInputRows, "seconds": seconds})

    def onQueryIdle(self, event: Any) -> None: ...

    def onQueryTerminated(self, event: Any) -> None: ...


def ceiling(raw: DataFrame, config: StreamConfig) -> StreamingQuery:
    parsed = raw.select(F.from_json(F.col("value").cast("string"), RECORD_DDL).alias("event")).select("event.*")
    writer = parsed.writeStream.format("noop").option("checkpointLocation", str(config.checkpoint))
    return writer.trigger(availableNow=True).start()


def semantic(raw: DataFrame, config: StreamConfig) -> StreamingQuery:
    """The model without its structured part gives no facts, and nothing is joined."""
    outcomes = streams.observe_outcomes(streams.score_events(raw, (config.models / "candidate").resolve()))
    return streams.write_records(streams.to_kafka_records(outcomes, config.topics), config)


def combined(raw: DataFrame, config: StreamConfig) -> StreamingQuery:
    model = config.model.resolve()
    outcomes = streams.observe_outcomes(streams.score_events(raw, model))
    joined = streams.observe_joined(streams.join_services(outcomes, model.parent))
    return streams.write_records(streams.to_kafka_records(joined, config.topics), config)


MODES = {"ceiling": ceiling, "semantic": semantic, "combined": combined}


def main(mode: str, result: Path) -> None:
    config = StreamConfig.from_env(os.environ)
    spark = SparkSession.builder.appName(f"bench-{mode}").getOrCreate()
    batches = Batches()
    spark.streams.addListener(batches)
    query = MODES[mode](streams.read_logs(spark, config), config)
    query.awaitTermination()
    spark.sparkContext._jsc.sc().listenerBus().waitUntilEmpty()
    result.write_text(json.dumps(batches.rows))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
