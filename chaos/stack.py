"""The stack an experiment needs: services that reach each other through a proxy, and a model of their normal time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from chaos.errors import ChaosError
from faultline.config import Environ, Paths, Ports, StreamConfig
from faultline.exported import exported
from faultline.stack.lifecycle import Stack
from faultline.stack.progress import Progress
from faultline.stack.training import train
from faultline.stack.waiting import wait_for

ALIAS: Final = "chaos"  # the user's champion stays as it is
CAUGHT_UP_RECORDS: Final = 300
START_SECONDS: Final = 180


def experiment_environment(environ: Environ, run: str) -> dict[str, str]:
    """Return the settings of the stack for one run: its own model, its own checkpoint, the proxy switched on."""
    paths = Paths.from_env(environ)
    return {
        **environ,
        "FAULTLINE_HOME": str(paths.home),
        "FAULTLINE_SHOP_PROXY": "1",
        "FAULTLINE_ALIAS": ALIAS,
        "FAULTLINE_MODEL": str(paths.models / ALIAS),
        "FAULTLINE_CHECKPOINT": str(paths.checkpoints / f"chaos-{run}"),
        "FAULTLINE_STARTING_OFFSETS": "latest",
    }


class ExperimentStack:
    """Brings the stack up for a run, has it learn, and takes it down again."""

    def __init__(self, environ: Environ, progress: Progress) -> None:
        self._environ = environ
        self._progress = progress
        self._stack = Stack.from_env(environ, progress)
        self._stream_port = Ports.from_env(environ).stream

    def require_down(self) -> None:
        """Refuse to take over a stack that somebody uses; raises ChaosError."""
        alive = [row.name for row in self._stack.status() if row.state == "up"]
        if alive:
            text = f"the stack is up ({', '.join(alive)}); experiments break it on purpose, and start their own: "
            raise ChaosError(text + "./run down first")

    def bring_up(self) -> datetime:
        """Start everything that needs no model; return the begin of the time that can be learned from."""
        begin = datetime.now(UTC)
        self._stack.up(self._stack.without_model())
        return begin

    def learn(self, since: datetime) -> None:
        """Learn from what was written since then."""
        train(self._environ, self._progress, since=since)

    def follow(self) -> None:
        """Start the stream, and return when it judges what is written now; raises StackError."""
        if not StreamConfig.from_env(self._environ).model.exists():
            raise ChaosError(f"no model {ALIAS!r} to score with: this run has not learned; begin a new one")
        self._stack.up()
        wait_for(self._progress, "the stream to follow", self._follows, START_SECONDS)

    def down(self) -> None:
        """Stop everything."""
        self._stack.down()

    def _follows(self) -> bool:
        if not exported(self._stream_port, "faultline_events_scored_total"):
            return False
        lag = exported(self._stream_port, "faultline_consumer_lag_records")
        return lag is not None and lag < CAUGHT_UP_RECORDS
