"""The verb `chaos` of `./run`; what it needs is imported when it runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from faultline.errors import ConfigError


@click.command()
@click.option("--quick", is_flag=True, help="Three changes once each, in a few minutes.")
@click.option("--resume", is_flag=True, help="Go on with the newest run that is not finished.")
@click.option("--only", multiple=True, metavar="NAME", help="Only this experiment; may be given several times.")
@click.option("--repeats", type=click.IntRange(1, 1000), help="Of each experiment.  [default: 5]")
@click.option("--normal-minutes", type=click.FloatRange(0), help="Of normal traffic to watch.  [default: 30]")
@click.option("--learn-minutes", type=click.FloatRange(0.5), help="Of normal traffic to learn from.  [default: 7]")
@click.option("--seed", default=7, show_default=True, type=click.IntRange(min=0), help="Of order and pauses.")
@click.option(
    "--experiments", "folder", type=click.Path(path_type=Path), help="Folder of your own.  [default: chaos/experiments]"
)
@click.option("--list", "listing", is_flag=True, help="Show the experiments and stop; each is checked.")
@click.option("--roll-back", is_flag=True, help="Undo what a killed run left behind and stop.")
@click.option("--report", "reporting", is_flag=True, help="Write the newest run's report anew and stop.")
@click.option("--keep", is_flag=True, help="Leave the stack up at the end.")
def chaos(**options: Any) -> int:
    """Inject faults; compare how fast each side tells of them.

    Writes reports/chaos/<run>/. A run that was stopped or killed goes on with --resume.
    """
    from chaos import story

    if options["quick"] and (options["resume"] or options["only"]):
        raise ConfigError("--quick", "given with --resume or --only", "neither of them")
    return story.main(os.environ, story.Options(**options))
