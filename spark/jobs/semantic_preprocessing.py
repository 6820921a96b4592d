"""Count the masked lines that topic `logs` holds now and write them as Parquet: the input of semantic_train.

./run spark semantic_preprocessing.py
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from faultline.config import TrainConfig
from faultline.entry import run
from faultline.verdicts import kept_abnormal, read_verdicts
from spark import streams


def main(environ: Mapping[str, str]) -> None:
    config = TrainConfig.from_env(environ)
    spark = SparkSession.builder.appName("semantic_preprocessing").getOrCreate()
    raw = streams.read_logs_now(spark, config)
    kept = kept_abnormal(read_verdicts(config.bootstrap, config.topics.feedback))
    streams.count_masked_lines(raw, kept).coalesce(1).write.mode("overwrite").parquet(str(config.dataset))
    written = spark.read.parquet(str(config.dataset))
    rows, lines = written.agg(F.count("*"), F.sum("lines")).first()
    logging.getLogger(__name__).info(
        "dataset written", extra={"rows": rows, "lines": lines, "path": str(config.dataset)}
    )


if __name__ == "__main__":
    run("semantic_preprocessing", main)
