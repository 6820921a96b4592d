"""The verbs of `./run`; everything heavy is imported by the verb that needs it."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click

from faultline.chaos_verb import chaos
from faultline.config import REPOSITORY, Paths
from faultline.errors import FaultlineError, StackError
from faultline.evaluation_verb import evaluate
from faultline.incident_verbs import catalog, feedback, incidents, learned
from faultline.model_verbs import finetune, mlflow, models, promote

if TYPE_CHECKING:
    from faultline.stack.lifecycle import Stack
    from faultline.stack.status import ProgramStatus

NOT_UP = 3  # exit status of `status`, as the LSB gives it to a service that does not run
INTERRUPTED = 130
SHOWN_ANOMALIES = 5
_PASS_THROUGH = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


class _Verbs(click.Group):
    """Lists verbs in the order they are written here, the order in which they are met."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_Verbs, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def cli(context: click.Context) -> None:
    """Faultline: says within seconds that something broke in your services, and which line says so."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(args: Sequence[str]) -> int:
    """Run one verb and return the exit status; our own errors are shown without a traceback."""
    try:
        with _terminate_like_interrupt():
            result = cli.main(args=list(args), prog_name="./run", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except FaultlineError as error:
        return _fail(str(error))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return _fail(f"the disk is full ({error}); free some space, or point FAULTLINE_HOME at a larger disk")
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return INTERRUPTED


def _fail(text: str) -> int:
    click.echo(f"error: {text}", err=True)
    return 1


@contextmanager
def _terminate_like_interrupt() -> Iterator[None]:
    """SIGTERM and a closed terminal clean up as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@cli.command()
@click.option("--quick", is_flag=True, help="Learn from less traffic: sooner done, less to see.")
@click.option("--keep", is_flag=True, help="Leave the stack up at the end.")
@click.option("--relearn", is_flag=True, help="Learn anew even if there is a model.")
def demo(quick: bool, keep: bool, relearn: bool) -> int:
    """Learn what is normal, break a service, show the alert, report."""
    from demo import story

    return story.main(os.environ, quick=quick, keep=keep, relearn=relearn)


@cli.command()
@click.argument("names", nargs=-1)
def up(names: tuple[str, ...]) -> None:
    """Start the embedded stack, or NAMES and what they need."""
    from faultline.stack.programs import MODEL_HINT, has_model

    stack = _stack()
    started = stack.up(names or None)
    click.echo(_table(stack.status()))
    if not names and not has_model(os.environ):
        click.echo(f"stream is down: {MODEL_HINT}")
    click.echo(f"started {', '.join(started)}" if started else "already up")


@cli.command()
def down() -> None:
    """Stop the embedded stack; no process stays behind."""
    stopped = _stack().down()
    click.echo(f"stopped {', '.join(stopped)}" if stopped else "nothing was up")


@cli.command()
def status() -> int:
    """Show each program; exit status 0 when all are up, 3 when not."""
    stack = _stack()
    rows = stack.status()
    click.echo(_table(rows))
    orphans = stack.unsupervised()
    if orphans:
        click.echo(f"no supervisord looks after {orphans}: ./run up repairs, ./run down stops")
    _show_firing_alerts(rows)
    _show_recent_anomalies(rows)
    expected = {program.name for program in stack.expected()}
    return 0 if all(row.state == "up" for row in rows if row.name in expected) else NOT_UP


def _show_firing_alerts(rows: Sequence[ProgramStatus]) -> None:
    from httpx import HTTPError

    from faultline.alerts import firing_alerts
    from faultline.config import Ports
    from faultline.printing import printable

    if not any(row.name == "alertmanager" and row.state == "up" for row in rows):
        return
    try:
        alerts = [a for a in firing_alerts(Ports.from_env(os.environ).alertmanager) if a.name != "Watchdog"]
    except HTTPError as error:
        click.echo(f"\nAlertmanager did not say what fires: {error}")
        return
    click.echo("\nfiring:" if alerts else "\nno alert fires")
    for alert in alerts:
        click.echo(f"  {alert.starts_at.astimezone():%H:%M:%S}  {alert.name}: {printable(alert.summary)}")


def _show_recent_anomalies(rows: Sequence[ProgramStatus]) -> None:
    from faultline.config import Topics, kafka_bootstrap
    from faultline.recent import recent_anomalies

    if any(row.name == "kafka" and row.state == "up" for row in rows):
        lines = recent_anomalies(kafka_bootstrap(os.environ), Topics.from_env(os.environ).anomalies, SHOWN_ANOMALIES)
        click.echo("\nlast abnormal lines:" if lines else "\nno abnormal line yet")
        for line in lines:
            click.echo(f"  {line}")


@cli.command()
@click.argument("name")
@click.option("-f", "--follow", "following", is_flag=True, help="Keep printing what is appended.")
@click.option("-n", "--lines", default=50, show_default=True, type=click.IntRange(min=0), help="Lines from the end.")
def logs(name: str, following: bool, lines: int) -> None:
    """Print the log of a program (or of supervisord)."""
    from faultline.stack.log_files import follow, last_lines

    if name != "supervisord":
        _stack().program(name)
    path = Paths.from_env(os.environ).logs / f"{name}.log"
    if not following and not path.is_file():
        raise StackError(f"{path} does not exist: {name} has not run yet; ./run up starts it")
    for line in last_lines(path, lines):
        click.echo(line)
    for text in follow(path) if following else ():
        click.echo(text, nl=False)


@cli.command("train")
def train_model() -> None:
    """Learn what is normal from the logs that are in Kafka now."""
    from faultline.stack.progress import Progress
    from faultline.stack.training import train

    train(os.environ, Progress())
    click.echo("the new model is champion; a running stream takes it over within seconds (./run models lists all)")


for verb in (models, promote, finetune, mlflow, incidents, feedback, learned, catalog):
    cli.add_command(verb)


@cli.command(context_settings=_PASS_THROUGH)
@click.argument("job")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def spark(job: str, args: tuple[str, ...]) -> None:
    """Submit one job of spark/jobs to Spark."""
    from faultline.stack.spark_submit import submit_command

    argv, environment = submit_command(job, args, os.environ)
    os.execvpe(argv[0], argv, environment)  # noqa: S606 - no shell is the point


@cli.command(context_settings=_PASS_THROUGH)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def test(args: tuple[str, ...]) -> None:
    """Run the tests: all of them, or as the arguments of pytest say."""
    if not args:
        _ensure_all_programs()
    _become_python("-m", "pytest", "-q", *args)


@cli.command()
def check() -> None:
    """Lint, type-check, validate configuration; changes no file."""
    from faultline.checks import run_checks

    _ensure_all_programs()
    run_checks(os.environ)


@cli.command()
@click.argument("args", nargs=-1)
def bench(args: tuple[str, ...]) -> None:
    """Measure throughput, delay and memory, or only those named."""
    _become_python("-m", "benchmarks", *args)


for verb in (chaos, evaluate):
    cli.add_command(verb)


@cli.command(context_settings=_PASS_THROUGH)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def golden(args: tuple[str, ...]) -> None:
    """Rewrite the golden files; review the difference afterwards."""
    _become_python("-m", "pytest", "-q", "--rewrite-golden", *args)


@cli.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def clean(yes: bool) -> int:
    """Stop the stack and remove all it has written."""
    from faultline.stack.removal import check_removable

    home = Paths.from_env(os.environ).home
    check_removable(home)
    if not yes and not _confirmed(f"Remove {home} and everything in it?"):
        click.echo("nothing was removed; ./run clean --yes does not ask")
        return 1
    _stack().down()
    shutil.rmtree(home)
    click.echo(f"removed {home}")
    return 0


def _confirmed(question: str) -> bool:
    """False too when nobody can answer."""
    try:
        return click.confirm(question)
    except click.Abort:
        return False


def _ensure_all_programs() -> None:
    from faultline.stack.debian import ensure_programs
    from faultline.stack.prerequisites import TOOLS, check_java
    from faultline.stack.progress import Progress

    ensure_programs(list(TOOLS), os.environ, Progress())
    check_java(os.environ)


def _become_python(*args: str) -> NoReturn:
    """Replace this process by Python in the repository, so that signals and the exit status are its own."""
    os.chdir(REPOSITORY)
    os.execv(sys.executable, [sys.executable, *args])  # noqa: S606 - no shell is the point


def _stack() -> Stack:
    from faultline.stack.lifecycle import Stack

    return Stack.from_env(os.environ)


def _table(rows: Sequence[ProgramStatus]) -> str:
    from faultline.stack.status import table

    return table(rows)
