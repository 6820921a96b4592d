"""Learn the ranker from the verdicts in topic `feedback`: a challenger, and champion when it is not worse.

./run spark root_cause_learn.py
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pyspark.sql import SparkSession

from faultline.config import TrainConfig
from faultline.entry import run
from faultline.registry import Registry
from spark import streams
from spark.models.root_cause import relearning


def main(environ: Mapping[str, str]) -> None:
    config, registry = TrainConfig.from_env(environ), Registry.from_env(environ)
    spark = SparkSession.builder.appName("root_cause_learn").getOrCreate()
    rows = streams.read_values_now(spark, config.bootstrap, config.topics.feedback).collect()
    verdicts = relearning.read_verdicts(bytes(row.value) for row in rows)
    found = relearning.relearn(verdicts, config, registry)
    outcome = {"version": found.folder.name, "champion": found.challenge.wins, "incidents": found.challenge.incidents}
    logging.getLogger(__name__).info("challenger judged", extra=outcome)


if __name__ == "__main__":
    run("root_cause_learn", main)
