"""Count what services did, second by second, and what sessions were made of, in what topic `logs` holds now.

Parquet, the input of structure_train.

./run spark structure_preprocessing.py
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pyspark.sql import SparkSession

from faultline.config import TrainConfig
from faultline.entry import run
from spark import streams


def main(environ: Mapping[str, str]) -> None:
    config = TrainConfig.from_env(environ)
    spark = SparkSession.builder.appName("structure_preprocessing").getOrCreate()
    raw = streams.read_logs_now(spark, config)
    base = config.base.resolve()
    facts = streams.count_facts(raw, base)
    sessions = streams.count_sessions(raw, base, config.session_pattern)
    for counted, path in ((facts, config.facts), (sessions, config.sessions)):
        counted.coalesce(1).write.mode("overwrite").parquet(str(path))
        rows = spark.read.parquet(str(path)).count()
        logging.getLogger(__name__).info("counts written", extra={"rows": rows, "path": str(path)})


if __name__ == "__main__":
    run("structure_preprocessing", main)
