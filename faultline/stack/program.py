"""What the stack knows about one program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from faultline.stack.readiness import Probe


@dataclass(frozen=True)
class Command:
    """What a launch script runs: shell lines in front, then the program in place of the shell."""

    argv: list[str]
    before: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """One supervised process; `command` is asked for only when the program is about to start."""

    name: str
    address: str  # what a person opens or connects to; empty when there is nothing
    command: Callable[[], Command]
    probe: Probe | None = None  # None: up once it has kept running for supervisor.START_SECONDS
    ports: tuple[int, ...] = ()
    needs: tuple[str, ...] = ()  # programs that must be up first
    needs_part: str | None = None  # of a trained model: a folder or file in it; "" the model itself
    tools: tuple[str, ...] = ()  # keys of prerequisites.TOOLS
    templates: tuple[Path, ...] = ()  # rendered into the run folder before the start
    after_ready: Callable[[], None] = lambda: None
    ready_seconds: float = 60.0  # generous: a busy two-core machine takes several times as long as an idle one
    stop_signal: str = "TERM"
    stop_group: bool = True  # False: the process ends its children itself, in order
    stop_seconds: int = 15
