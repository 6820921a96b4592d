"""Learn the ranker from the verdicts in topic `feedback`: a challenger, and champion when it is not worse.

./run spark root_cause_learn.py
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from faultline.config import TrainConfig
from faultline.entry import run
from faultline.registry import Registry
from faultline.verdicts import read_verdicts
from spark.models.root_cause.relearning import relearn


def main(environ: Mapping[str, str]) -> None:
    config, registry = TrainConfig.from_env(environ), Registry.from_env(environ)
    found = relearn(read_verdicts(config.bootstrap, config.topics.feedback), config, registry)
    outcome = {"version": found.folder.name, "champion": found.challenge.wins, "incidents": found.challenge.incidents}
    logging.getLogger(__name__).info("challenger judged", extra=outcome)


if __name__ == "__main__":
    run("root_cause_learn", main)
