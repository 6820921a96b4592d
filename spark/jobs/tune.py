"""Search for better parameters of learning on the training split of labelled records; trials run on Spark.

FAULTLINE_TUNE_TRIALS=20 ./run spark tune.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from pyspark.sql import SparkSession

from faultline.entry import run
from faultline.registry import Registry
from spark.models import search, tuning
from spark.models.embedder import ensure_encoder
from spark.models.parameters import Parameters
from spark.models.release import fingerprint


def main(environ: Mapping[str, str]) -> None:
    config, registry = search.TuneConfig.from_env(environ), Registry.from_env(environ)
    registry.check()
    spark = SparkSession.builder.appName("tune").getOrCreate()
    rows = spark.read.parquet(str(config.labelled)).where("split = 'train'")
    examples = tuning.prepare(rows.select("value", "label", "session").toArrow())
    path, (encoder, _) = tuning.write_examples(examples, config.examples), ensure_encoder(config.models / "encoder")
    trial = partial(tuning.run_trial, path, str(encoder), config.per_10_000)

    def run_trials(points: Sequence[Parameters]) -> list[dict[str, float]]:
        return spark.sparkContext.parallelize(points, len(points)).map(trial).collect()

    search.search(config, registry, fingerprint(examples), run_trials)


if __name__ == "__main__":
    run("tune", main)
