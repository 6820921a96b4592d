"""Build labelled records as Parquet, from a labelled set or from topic logs and an injector's journal.

FAULTLINE_LABELLED_FORMAT=HDFS FAULTLINE_LABELLED_PATH=folder ./run spark test_labeled_parquet.py
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from evaluation.labelled_rows import LabelledParquetConfig
from faultline.entry import run
from spark import labelling


def main(environ: Mapping[str, str]) -> None:
    config = LabelledParquetConfig.from_env(environ)
    spark = SparkSession.builder.appName("test_labeled_parquet").getOrCreate()
    labelling.read_labelled(spark, config, environ).write.mode("overwrite").parquet(str(config.dataset))
    written = spark.read.parquet(str(config.dataset))
    rows, abnormal, sessions = written.agg(F.count("*"), F.sum("label"), F.count_distinct("session")).first()
    logging.getLogger(__name__).info(
        "labelled records written",
        extra={"rows": rows, "abnormal": abnormal, "sessions": sessions, "path": str(config.dataset)},
    )


if __name__ == "__main__":
    run("test_labeled_parquet", main)
