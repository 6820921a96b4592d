"""Send a file that is already there to topic logs: `python -m feeder.replay FILE --source-type T`."""

from __future__ import annotations

import gzip
import os
import signal
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase, BufferedReader
from pathlib import Path
from time import monotonic
from typing import Final

import click
from prometheus_client import CollectorRegistry

from faultline import log
from faultline.config import Environ, FeederConfig
from faultline.errors import ConfigError, FaultlineError
from faultline.kafka_io import make_producer
from faultline.metrics import FeederMetrics
from faultline.records import SourceType
from feeder.delivery import Delivery
from feeder.lines import Line, LineSplitter
from feeder.sending import LineSender
from feeder.sources import FILE_NAME, PARSERS, FileSource

CHUNK_BYTES: Final = 256 * 1024
SHOW_SECONDS: Final = 1.0
INTERRUPTED: Final = 130


class FileDamaged(FaultlineError):
    """A file ends or goes wrong in the middle of what can be unpacked of it."""


@dataclass
class Progress:
    """What was done so far, shown once a second."""

    show: Callable[[str], None]
    size_bytes: int
    read_bytes: int = 0  # of the file as it is stored, so that a compressed one has a percentage, too
    sent: int = 0
    acknowledged: int = 0

    def __post_init__(self) -> None:
        self._begin = self._shown = monotonic()

    def text(self) -> str:
        """Return one line of text."""
        percent = 100 * self.read_bytes // self.size_bytes if self.size_bytes else 100
        rate = self.sent / max(monotonic() - self._begin, 1e-3)
        return f"{percent} % read, {self.sent} lines sent, {self.acknowledged} acknowledged, {rate:.0f} lines/s"

    def tick(self) -> None:
        """Show the text when a second has passed."""
        if monotonic() - self._shown >= SHOW_SECONDS:
            self._shown = monotonic()
            self.show(self.text())

    def acknowledge(self) -> None:
        """Count a line the broker has."""
        self.acknowledged += 1


def source_for(kind: str, form: str | None, service: str) -> FileSource:
    """Return the source that the options describe; raises ConfigError for a format the type does not have."""
    parsers = PARSERS[SourceType(kind)]
    form = form or next(iter(parsers))
    if form not in parsers:
        raise ConfigError("--format", form, f"one of {', '.join(parsers)} for --source-type {kind}")
    return FileSource(SourceType(kind), "", service, parsers[form], from_end=False)


class Replay:
    """Sends the lines of files through the feeder's parsers; `progress` counts what became of them.

    `interrupt` once ends the sending, twice the wait for what was sent. It may be called in a signal handler: an
    exception there would come up inside the Kafka client, which cannot pass it on.
    """

    def __init__(self, delivery: Delivery, host_name: str, max_line_bytes: int, progress: Progress) -> None:
        self.interrupts = 0
        delivery.while_full(lambda: self.interrupts > 0, progress.tick)
        self._delivery = delivery
        self._lines = LineSender(delivery, host_name)
        self._max_line_bytes = max_line_bytes
        self._progress = progress

    def interrupt(self) -> None:
        """Note that the user wants an end."""
        self.interrupts += 1

    def send(self, path: Path, source: FileSource, rate: float | None = None) -> None:
        """Send every line of the file, at most `rate` a second. Raises FileDamaged, once what comes before is sent."""
        due = monotonic()
        for line in _read_lines(path, self._max_line_bytes, self._progress):
            if rate is not None:
                self._wait_until(due)
                due += 1 / rate
            if not self._lines.send(source, str(path), line, self._progress.acknowledge):
                return
            self._progress.sent += 1
            self._progress.tick()

    def _wait_until(self, due: float) -> None:
        while (left := due - monotonic()) > 0 and not self.interrupts:
            self._delivery.serve(min(left, 0.1))
            self._progress.tick()

    def finish(self) -> None:
        """Wait until the broker has every line; raises SinkUnavailable when it refused one."""
        while self._delivery.close(0.5) and self.interrupts < 2:
            self._delivery.serve(0)
            self._progress.tick()
        self._delivery.serve(0)


def _read_lines(path: Path, max_line_bytes: int, progress: Progress) -> Iterator[Line]:
    splitter = LineSplitter(0, max_line_bytes)
    with _open(path) as (stored, content):
        while True:
            try:
                chunk = content.read(CHUNK_BYTES)
            except (OSError, EOFError, zlib.error) as error:
                text = f"{path}: damaged behind byte {splitter.read_offset} of its content ({error})"
                raise FileDamaged(f"{text}; the {progress.sent} lines before it were sent") from error
            progress.read_bytes = stored.tell()
            yield from splitter.feed(chunk) if chunk else splitter.rest()
            if not chunk:
                return


@contextmanager
def _open(path: Path) -> Iterator[tuple[BufferedReader, BufferedIOBase]]:
    """Open the file as it is stored, and its content."""
    with path.open("rb") as stored:
        if path.suffix == ".gz":
            with gzip.open(stored) as content:
                yield stored, content
        else:
            yield stored, stored


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path))
@click.option("--source-type", required=True, type=click.Choice([kind.value for kind in PARSERS]))
@click.option("--format", "form", help="One of the type's formats; default its first, see demo/sources.yaml.")
@click.option("--service", default=FILE_NAME, show_default="the file's name up to its first dot")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Lines a second; default as fast as it goes.")
def main(file: Path, source_type: str, form: str | None, service: str, rate: float | None) -> None:
    """Send the lines of FILE, which may be a .gz, to topic logs; sent again they get the same event ids."""
    try:
        replay_file(os.environ, file, source_for(source_type, form, service), rate)
    except FaultlineError as error:
        raise click.ClickException(str(error)) from error


def replay_file(environ: Environ, file: Path, source: FileSource, rate: float | None) -> None:
    """Send one file and wait until the broker has it; progress goes to standard error."""
    config = FeederConfig.from_env(environ)
    producer = make_producer(config.bootstrap, "feeder-replay")
    delivery = Delivery(producer, config.topics, FeederMetrics(CollectorRegistry()))
    progress = Progress(lambda text: click.echo(text, err=True), file.stat().st_size)
    replay = Replay(delivery, config.host_name, config.max_line_bytes, progress)
    before = signal.signal(signal.SIGINT, lambda *_: replay.interrupt())
    try:
        replay.send(file, source, rate)
    finally:
        replay.finish()
        signal.signal(signal.SIGINT, before)
    click.echo(f"{'interrupted' if replay.interrupts else 'done'}: {progress.text()}", err=True)
    if replay.interrupts:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    log.configure("feeder")
    main(prog_name="python -m feeder.replay")
