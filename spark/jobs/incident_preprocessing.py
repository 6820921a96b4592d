"""Keep what topics `anomalies` and `logs` tell of a stretch of time: the input of evaluate_root.

FAULTLINE_RECORD_SINCE=2026-01-31T12:00:00Z ./run spark incident_preprocessing.py
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pyspark.sql import SparkSession

from faultline.entry import run
from faultline.incident_config import RecordingConfig
from spark.recording import read_between, record


def main(environ: Mapping[str, str]) -> None:
    config = RecordingConfig.from_env(environ)
    spark = SparkSession.builder.appName("incident_preprocessing").getOrCreate()
    logs, anomalies = (read_between(spark, config, topic) for topic in (config.topics.logs, config.topics.anomalies))
    for name, table in record(logs, anomalies, config.model.resolve(), config.session_pattern).items():
        path = config.folder / name
        table.coalesce(1).write.mode("overwrite").parquet(str(path))
        rows = spark.read.parquet(str(path)).count()
        logging.getLogger(__name__).info("table written", extra={"rows": rows, "path": str(path)})


if __name__ == "__main__":
    run("incident_preprocessing", main)
