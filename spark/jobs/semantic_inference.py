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
from faultline.registry import Registry
from spark import streams
from spark.champion import ChampionWatch
from spark.lifetime import await_end
from spark.progress import MetricsListener


def main(environ: Mapping[str, str]) -> None:
    config, registry = StreamConfig.from_env(environ), CollectorRegistry()
    metrics = StreamMetrics(registry)
    listener = MetricsListener(metrics)
    champion = ChampionWatch(config, Registry.from_env(environ), metrics, listener.announce)
    model = champion.begin()
    spark = SparkSession.builder.appName("semantic_inference").getOrCreate()
    spark.streams.addListener(listener)
    outcomes = streams.observe_outcomes(streams.score_events(streams.read_logs(spark, config), model))
    joined = streams.observe_joined(streams.join_services(outcomes, champion.models))
    query = streams.write_records(streams.to_kafka_records(joined, config.topics), config)
    serve(registry, config.metrics_port)
    champion.start()
    await_end(query)


if __name__ == "__main__":
    run("stream", main)
