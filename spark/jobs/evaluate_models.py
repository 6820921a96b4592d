"""Score labelled records (of test_labeled_parquet) with the champion, write its metrics beside them.

./run spark evaluate_models.py
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pyspark.sql import SparkSession

from evaluation.champion import judge_sessions, write_metrics
from evaluation.labelled_rows import labelled_dataset
from faultline.config import StreamConfig
from faultline.entry import run
from spark import labelling


def main(environ: Mapping[str, str]) -> None:
    model, dataset = StreamConfig.from_env(environ).model.resolve(), labelled_dataset(environ)
    spark = SparkSession.builder.appName("evaluate_models").getOrCreate()
    scored = labelling.score_labelled(spark.read.parquet(str(dataset)), model)
    metrics = judge_sessions(scored.toPandas())
    path = dataset.with_name(f"{dataset.name}-metrics.json")
    write_metrics(path, {**metrics, "model_version": model.name})
    logging.getLogger(__name__).info("metrics written", extra={"path": str(path), "f1": metrics["f1"]})


if __name__ == "__main__":
    run("evaluate_models", main)
