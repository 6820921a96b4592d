"""Write a service catalog: the demo's services as they are configured, and others that nothing runs, as distractors.

python spark/generate_cmdb.py --others 100 --out catalog-info.yaml
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # as a script, from anywhere

from faultline.catalog.demo import demo_entities
from faultline.catalog.synthetic import synthetic_entities
from faultline.catalog.writing import write_catalog
from faultline.config import Paths
from faultline.errors import FaultlineError


@click.command()
@click.option("--others", default=100, show_default=True, type=click.IntRange(0, 100_000), help="Invented services.")
@click.option("--seed", default=7, show_default=True, type=click.IntRange(min=0), help="Of what is invented.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="File to write.  [default: catalog-info.yaml of the stack]"
)
def main(others: int, seed: int, out: Path | None) -> None:
    """Write a catalog in Backstage's format and say what is in it."""
    entities = [*demo_entities(os.environ), *synthetic_entities(others, seed)]
    path = out or Paths.from_env(os.environ).home / "catalog-info.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_catalog(entities, path)
    edges = sum(len(entity.depends_on) for entity in entities)
    click.echo(f"{path}: {len(entities)} entities, {edges} dependencies")


if __name__ == "__main__":
    try:
        main()
    except FaultlineError as fault:
        sys.exit(str(fault))
