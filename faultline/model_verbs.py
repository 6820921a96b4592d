"""The verbs of `./run` about the model registry; everything heavy is imported by the verb that needs it."""

from __future__ import annotations

import os

import click

from faultline.config import StreamConfig


@click.command()
def models() -> None:
    """List the versions of the model and which one streams."""
    from faultline.model_list import table
    from faultline.registry import Registry

    versions = Registry.from_env(os.environ).versions()
    click.echo(table(versions) if versions else "no model yet: ./run train learns one")


@click.command()
@click.argument("version", type=int)
def promote(version: int) -> None:
    """Let a version stream, an older one too; takes seconds."""
    from faultline.artifact import CHAMPION, point
    from faultline.registry import Registry

    registry, folder = Registry.from_env(os.environ), StreamConfig.from_env(os.environ).models
    found = registry.find(version)
    registry.fetch(found, folder)  # a damaged one is refused here, before anything changes
    registry.promote(found)
    point(folder, CHAMPION, found.content)
    click.echo(f"version {version} ({found.content}) is champion")


@click.command()
def finetune() -> None:
    """Bring lines near what the catalog says; fetches torch.

    Fine-tunes MiniLM on what services write in normal time; the environment with torch is 6 GB, fetched once.
    """
    from faultline.stack.programs import with_catalog
    from faultline.stack.spark_submit import submit_command

    argv, environment = submit_command("root_cause_finetune.py", (), with_catalog(os.environ))
    os.execvpe(argv[0], argv, environment)  # noqa: S606 - no shell is the point


@click.command()
def mlflow() -> None:
    """Open MLflow's pages over the models, until Ctrl-C."""
    from faultline.mlflow_server import server_command

    argv, environment, address = server_command(os.environ)
    click.echo(f"MLflow: {address} (Ctrl-C ends it)")
    os.execvpe(argv[0], argv, environment)  # noqa: S606 - no shell is the point
