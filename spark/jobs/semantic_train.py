"""Learn what is normal from the dataset of semantic_preprocessing; the new model gets the alias, champion by default.

./run spark semantic_train.py
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import SparkSession

from faultline.config import TrainConfig
from faultline.entry import run
from faultline.registry import Registry
from spark.models import semantic_release


def main(environ: Mapping[str, str]) -> None:
    config, registry = TrainConfig.from_env(environ), Registry.from_env(environ)
    spark = SparkSession.builder.appName("semantic_train").getOrCreate()
    table = spark.read.parquet(str(config.dataset)).toArrow()
    semantic_release.release(table, config, registry)


if __name__ == "__main__":
    run("semantic_train", main)
