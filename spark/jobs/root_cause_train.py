"""Learn how requests usually go and who calls whom from topic `logs`, and add it to the model with the ranker.

./run spark root_cause_train.py
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import SparkSession

from faultline.config import TrainConfig
from faultline.entry import run
from faultline.registry import Registry
from spark import streams
from spark.models.root_cause import release
from spark.requests import count_steps, read_requests, sample_parts


def main(environ: Mapping[str, str]) -> None:
    config, registry = TrainConfig.from_env(environ), Registry.from_env(environ)
    spark = SparkSession.builder.appName("root_cause_train").getOrCreate()
    requests = read_requests(streams.read_logs_now(spark, config), config.base.resolve(), config.session_pattern)
    steps, parts = count_steps(requests).toArrow(), sample_parts(requests).toArrow()
    release.release(steps, parts, [], config, registry)


if __name__ == "__main__":
    run("root_cause_train", main)
