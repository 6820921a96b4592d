"""Learn what numbers do and what sessions are like from what structure_preprocessing wrote, and add it to a model.

./run spark structure_train.py
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import SparkSession

from faultline.config import TrainConfig
from faultline.entry import run
from faultline.registry import Registry
from spark.models import structured_release


def main(environ: Mapping[str, str]) -> None:
    config, registry = TrainConfig.from_env(environ), Registry.from_env(environ)
    spark = SparkSession.builder.appName("structure_train").getOrCreate()
    facts = spark.read.parquet(str(config.facts)).toArrow()
    sessions = spark.read.parquet(str(config.sessions)).toArrow()
    structured_release.release(facts, config, registry, sessions)


if __name__ == "__main__":
    run("structure_train", main)
