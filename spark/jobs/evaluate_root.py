"""Experiment 3: rank the causes of recorded incidents, held out, and report. Nothing here is large enough for Spark.

./run spark evaluate_root.py
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from evaluation.root_cause.run import evaluate_configured
from evaluation.run import PUBLIC
from faultline.entry import run
from faultline.incident_config import RootCauseEvaluationConfig


def main(environ: Mapping[str, str]) -> None:
    facts = evaluate_configured(RootCauseEvaluationConfig.from_env(environ, PUBLIC), environ)
    for line in [*facts["summary"], f"report: {facts['report']}"]:
        logging.getLogger(__name__).info("%s", line)


if __name__ == "__main__":
    run("evaluate_root", main)
