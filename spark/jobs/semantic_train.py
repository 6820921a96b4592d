"""Learn what is normal from the dataset of semantic_preprocessing; the new model becomes champion.

./run spark semantic_train.py
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import SparkSession

from faultline.config import TrainConfig
from faultline.entry import run
from spark.models import semantic_release
from spark.models.semantic_training import Budget


def main(environ: Mapping[str, str]) -> None:
    config = TrainConfig.from_env(environ)
    spark = SparkSession.builder.appName("semantic_train").getOrCreate()
    table = spark.read.parquet(str(config.dataset)).toArrow()
    semantic_release.release(table, config.models, Budget(config.false_alarms_per_day, config.calibration_fraction))


if __name__ == "__main__":
    run("semantic_train", main)
