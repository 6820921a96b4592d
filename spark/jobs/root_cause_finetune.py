"""Fine-tune MiniLM on what services write and what the catalog says of them; `./run finetune` makes what it needs.

./run spark root_cause_finetune.py
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Mapping
from pathlib import Path

from faultline.catalog.reading import read_catalog
from faultline.config import REPOSITORY, TrainConfig
from faultline.entry import run
from faultline.finetuning import trainer_command
from faultline.incident_config import read_catalogs
from faultline.registry import Registry
from spark.models.root_cause.finetuning import finetune


def main(environ: Mapping[str, str]) -> None:
    def train(base: Path, pairs: Path, out: Path) -> None:
        command, environment = trainer_command(base, pairs, out, environ)
        subprocess.run(command, env=environment, cwd=REPOSITORY, check=True)

    config, catalog = TrainConfig.from_env(environ), read_catalog(read_catalogs(environ))
    found = finetune(config, catalog.by_log_name(), Registry.from_env(environ), train)
    outcome = {"version": found.folder.name, "champion": found.wins, "before": found.before, "after": found.after}
    logging.getLogger(__name__).info("fine-tuned encoder judged on lines held out", extra=outcome)


if __name__ == "__main__":
    run("root_cause_finetune", main)
