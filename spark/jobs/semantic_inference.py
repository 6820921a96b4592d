"""Score topic `logs` as it arrives: anomalies and dead letters to their topics, counts to /metrics.

./run spark semantic_inference.py
"""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry
from pyspark.sql import SparkSession

from faultline.config import StreamConfig
from faultline.entry import run
from faultline.metrics import StreamMetrics, serve
from spark import streams
from spark.lifetime import await_end
from spark.models.artifact import read_manifest
from spark.progress import MetricsListener


def main(environ: Mapping[str, str]) -> None:
    config = StreamConfig.from_env(environ)
    manifest = read_manifest(config.model)
    registry = CollectorRegistry()
    listener = MetricsListener(StreamMetrics(registry))
    listener.announce(manifest)
    spark = SparkSession.builder.appName("semantic_inference").getOrCreate()
    spark.streams.addListener(listener)
    outcomes = streams.observe_outcomes(streams.score_events(streams.read_logs(spark, config), config.model.resolve()))
    query = streams.write_records(streams.to_kafka_records(outcomes, config.topics), config)
    serve(registry, config.metrics_port)
    await_end(query)


if __name__ == "__main__":
    run("stream", main)
