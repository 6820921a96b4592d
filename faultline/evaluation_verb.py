"""The verb `evaluate` of `./run`; what it needs is imported when it runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

# Those of evaluation/datasets, which is heavy to import; a test compares the two.
FORMATS = ("LOGHUB", "JSONL", "HDFS", "HDFS100K", "BGL", "TRAINTICKET", "WEB")


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--format", "name", type=click.Choice(FORMATS, case_sensitive=False), help="Else told from the path.")
@click.option("--labels", type=click.Path(path_type=Path), help="CSV of session id and label, with --session.")
@click.option("--session", help="Regular expression that finds the session id in a line, with --labels.")
@click.option("--windows", is_flag=True, help="JSONL: judge minutes of a service in place of lines.")
@click.option("--split", default=0.5, show_default=True, type=click.FloatRange(0.1, 0.9), help="Share that trains.")
@click.option(
    "--budget",
    default=20.0,
    show_default=True,
    type=click.FloatRange(0.01, 10_000),
    help="False alarms allowed per 10,000 normal lines, sessions or windows.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the report.")
@click.option("--seed", default=7, show_default=True, type=click.IntRange(min=0), help="Of bootstrap and shuffles.")
@click.option("--quick", is_flag=True, help="Leave out the slow arms.")
def evaluate(path: Path | None, name: str | None, out: Path | None, **choices: Any) -> None:
    """Compare detectors and baselines on labelled logs.

    PATH is a labelled log file or the folder of a public set; without it all public sets beside the repository are
    taken. LOGHUB: text lines whose first field is the label, "-" for normal; or labels by session, with --labels and
    --session. JSONL: objects with timestamp, message, label and, when there, service, level, session, split.
    """
    from evaluation import run
    from evaluation.comparison import Settings
    from evaluation.datasets.options import DatasetOptions

    settings = Settings(choices["budget"], choices["seed"], choices["quick"])
    options = DatasetOptions(choices["labels"], choices["session"], choices["split"], choices["windows"])
    facts = run.evaluate(os.environ, run.choose_targets(path, name), options, settings, out)
    click.echo("\n".join([*facts["summary"], f"report: {facts['report']}"]))
