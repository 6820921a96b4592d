"""Learn how requests usually go and who calls whom from topic `logs`, and add it to the model with the ranker.

./run spark root_cause_train.py
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import SparkSession

from faultline.config import TrainConfig
from faultline.entry import run
from faultline.registry import Registry
from faultline.verdicts import read_verdicts
from spark import streams
from spark.models.root_cause import release
from spark.models.root_cause.relearning import taught
from spark.requests import count_addresses, count_steps, read_requests, sample_parts


def main(environ: Mapping[str, str]) -> None:
    config, registry = TrainConfig.from_env(environ), Registry.from_env(environ)
    spark = SparkSession.builder.appName("root_cause_train").getOrCreate()
    raw = streams.read_logs_now(spark, config)
    requests = read_requests(raw, config.base.resolve(), config.session_pattern)
    tables = (count_steps(requests), sample_parts(requests), count_addresses(raw))
    past = taught(read_verdicts(config.bootstrap, config.topics.feedback))
    release.release(release.Requests(*(table.toArrow() for table in tables)), past, config, registry)


if __name__ == "__main__":
    run("root_cause_train", main)
