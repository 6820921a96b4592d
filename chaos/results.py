"""What a run's folder holds, read as far as the run has got."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from chaos.records import Aborted, AlertSpan, Evidence, Injection, NormalPeriod, read_records
from chaos.timings import stretches
from faultline.errors import ConfigError

T = TypeVar("T")
PARTS: Final = {
    "plan.json": "what was planned",
    "injections.jsonl": "the injections",
    "alerts.jsonl": "the alerts",
    "normal.jsonl": "normal time",
    "evidence.jsonl": "what was measured during each injection",
}


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """What the page says of the plan; every field has a default, so that half a plan is still a page."""

    run: str = "unnamed"
    seed: int = 0
    mode: str = "unknown"  # quick or full
    repeats: int = 0
    longest_hold_seconds: float = 0.0
    learned_seconds: float = 0.0
    version: str = "unknown"
    planned: int = 0  # injections
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Results:
    """Everything that was measured, in the order of time, and the names of the files that are not there yet."""

    plan: Outline
    injections: tuple[Injection, ...]
    alerts: tuple[AlertSpan, ...]
    normal: tuple[NormalPeriod, ...]
    evidence: dict[int, Evidence]  # by the number of the injection
    missing: tuple[str, ...] = ()
    aborted: tuple[str, ...] = ()  # experiments that could not be injected: their target was not there

    @property
    def faults(self) -> list[Injection]:
        """The injections that break something."""
        return [injection for injection in self.injections if not injection.benign]

    @property
    def distractors(self) -> list[Injection]:
        """The injections that break nothing."""
        return [injection for injection in self.injections if injection.benign]


def read_results(folder: Path) -> Results:
    """Return what a folder holds; raises ConfigError for a file that is there and cannot be read."""
    injections = _last_of_each(read_records(folder / "injections.jsonl", Injection))
    evidence = read_records(folder / "evidence.jsonl", Evidence)
    return Results(
        plan=_read_json(folder / "plan.json", Outline, Outline()),
        injections=tuple(sorted(injections, key=lambda injection: (injection.start, injection.number))),
        alerts=tuple(sorted(_read_alerts(folder), key=_order)),
        normal=tuple(stretches(read_records(folder / "normal.jsonl", NormalPeriod))),
        evidence={record.number: record for record in evidence},
        missing=tuple(what for name, what in PARTS.items() if not (folder / name).exists()),
        aborted=tuple(record.experiment for record in read_records(folder / "aborted.jsonl", Aborted)),
    )


def _last_of_each(injections: Sequence[Injection]) -> Iterable[Injection]:
    """Keep the last injection of a number: a run that was killed does its last one again."""
    return {injection.number: injection for injection in injections}.values()


def _read_alerts(folder: Path) -> list[AlertSpan]:
    """Return ended and open alerts; one that was seen to end and then to fire on has its later end."""
    ended = read_records(folder / "alerts.jsonl", AlertSpan)
    still_open: list[AlertSpan] = _read_json(folder / "alerts.open.json", list[AlertSpan], [])
    return list({_identity(span): span for span in [*ended, *still_open]}.values())


def _identity(span: AlertSpan) -> tuple[str, str, str, datetime]:
    return span.name, span.side, span.service, span.starts_at


def _order(span: AlertSpan) -> tuple[datetime, str, str]:
    return span.starts_at, span.name, span.service


def _read_json(path: Path, kind: type[T], default: T) -> T:
    if not path.exists():
        return default
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.MsgspecError as error:
        shown = path.read_bytes()[:80].decode("utf-8", "replace")
        raise ConfigError(path.name, shown, f"JSON of a run ({error}); mend the file, or begin a new run") from error
