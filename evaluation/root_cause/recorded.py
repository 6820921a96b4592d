"""Our own incidents: a run of `./run chaos` and what was recorded of it.

What is ranked is the incident that the pipeline opened, with what it knew some seconds later. The injector's journal
gives the label, and says which incident is asked about; it gives no evidence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from evaluation.root_cause.incidents import IncidentSet, LabelledIncident
from faultline.catalog.entities import Catalog
from faultline.catalog.graph import DependencyGraph
from faultline.changes import ChangeKind
from faultline.errors import ConfigError
from spark.models.root_cause.calls import Part, waits
from spark.models.root_cause.changes import as_candidates
from spark.models.root_cause.counting import BUCKET_SECONDS, windows_of
from spark.models.root_cause.flow import Counts
from spark.models.root_cause.grouping import Grouping, began
from spark.models.root_cause.meaning import CatalogMeaning, Embed, said_first, who_may
from spark.models.root_cause.recording import Recording
from spark.models.root_cause.requests import SeenRequests
from spark.models.root_cause.situation import Change, Situation
from spark.models.root_cause.usual import Usual

NAME: Final = "shop"
AFTER: Final = timedelta(seconds=15)  # the incident was opened: what an operator who was paged reads first
WINDOW: Final = timedelta(seconds=15)  # that an anomaly looks back
LATE: Final = timedelta(seconds=60)  # after the fault's end: what begins later is another incident
WINDOW_SECONDS: Final = 30  # of normal time, for the shares of steps
LOOK_BACK: Final = timedelta(minutes=30)  # for changes


T = TypeVar("T")


class _Injection(msgspec.Struct):
    """What of the injector's journal is the label."""

    number: int
    kind: str
    target: str
    benign: bool
    start: datetime
    end: datetime


class _Normal(msgspec.Struct):
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Run:
    """A chaos run as recorded."""

    recording: Recording
    injections: Sequence[_Injection]
    normal: Sequence[_Normal]
    catalog: Catalog


def read_run(folder: Path, recording: Path, catalog: Catalog) -> Run:
    """Read a run's journal and its recording; raises ConfigError when one of them is not there or not readable."""
    injections = _read(folder / "injections.jsonl", _Injection)
    return Run(Recording.read(recording), injections, _read(folder / "normal.jsonl", _Normal), catalog)


def recorded_incidents(run: Run, after: timedelta = AFTER, embed: Embed | None = None) -> IncidentSet:
    """Return the first incident of each fault, as known `after` it was opened; faults that opened none are notes.

    `embed` gives vectors of texts; without it, lines are not compared with the catalog.
    """
    meaning = CatalogMeaning(embed, run.catalog.by_log_name()) if embed else None
    usual = Usual.fit(list(_normal_windows(run)), _normal_parts(run))
    graph = DependencyGraph.of(run.catalog, run.recording.edges)
    found, notes = [], []
    faults = [injection for injection in run.injections if not injection.benign]
    for injection in faults:
        incident = _incident(run, injection, usual, graph, after, meaning)
        if incident is None:
            notes.append(f"{injection.kind} of {injection.target} ({injection.number}) opened no incident")
        else:
            found.append(incident)
    return IncidentSet(NAME, tuple(found), len(run.catalog.candidates()), notes)


def _normal_windows(run: Run) -> Iterator[Counts]:
    for normal in run.normal:
        yield from windows_of(_between(run.recording.steps, normal.start, normal.end), WINDOW_SECONDS)


def _between(buckets: Mapping[int, Counts], start: datetime, end: datetime) -> dict[int, Counts]:
    """Return the buckets that lie between two times as a whole."""
    first, last = start.timestamp(), end.timestamp() - BUCKET_SECONDS
    return {bucket: counts for bucket, counts in buckets.items() if first <= bucket <= last}


def _incident(  # noqa: PLR0913, PLR0917 - what an incident is made of
    run: Run,
    injection: _Injection,
    usual: Usual,
    graph: DependencyGraph,
    after: timedelta,
    meaning: CatalogMeaning | None,
) -> LabelledIncident | None:
    """Replay the anomalies from the injection on, until some seconds after the first incident was opened."""
    grouping, opened, until = Grouping(), None, injection.end + LATE
    for arrived, anomaly in run.recording.between(injection.start, until):
        if began(anomaly) < injection.start - WINDOW:
            continue
        if arrived > until:
            break
        changed = grouping.take(anomaly, graph)
        if changed and opened is None:
            opened, until = arrived, arrived + after
    if opened is None or not grouping.groups:
        return None
    group = next(iter(grouping.groups.values()))
    begin = group.opened_at
    look = begin - timedelta(seconds=BUCKET_SECONDS)
    steps = _sum(_between(run.recording.steps, look, until))
    seen = SeenRequests(steps, waits(_parts_between(run, look, until)))
    names = run.catalog.by_log_name()
    symptoms = [*group.symptoms, *usual.symptoms(seen, {})]
    alike = meaning.similarity(said_first(symptoms), who_may(symptoms, graph)) if meaning else {}
    situation = Situation(symptoms, graph, names, _changes(run, begin, until), alike)
    return LabelledIncident(
        name=f"{NAME} {injection.number}",
        kind=injection.kind,
        service=injection.target,
        causes=frozenset({*_entities(injection.target, run.catalog), *_changes_of(situation, injection)}),
        situation=situation,
        at=opened,
        errors=_errors(run.recording, begin, until),
    )


def _sum(buckets: Mapping[int, Counts]) -> Counts:
    total: Counts = Counter()
    for counts in buckets.values():
        total.update(counts)
    return total


def _normal_parts(run: Run) -> Iterator[Part]:
    for normal in run.normal:
        yield from _parts_between(run, normal.start, normal.end)


def _parts_between(run: Run, begin: datetime, end: datetime) -> Iterator[Part]:
    first, last = begin.timestamp(), end.timestamp()
    yield from (part for part in run.recording.parts if first <= part.begin and part.end <= last)


def _changes(run: Run, begin: datetime, until: datetime) -> Sequence[Change]:
    known = [change for at, change in run.recording.changes if begin - LOOK_BACK <= change.at and at <= until]
    return as_candidates(known, run.catalog.by_log_name())


def _entities(target: str, catalog: Catalog) -> Iterator[str]:
    """Yield the names of a target in the catalog: of a service its own, of "host" that of every host."""
    names = catalog.by_log_name()
    if target in names:
        yield names[target].name
    else:
        yield from (entity.name for entity in names.values() if entity.type == target)


def _changes_of(situation: Situation, injection: _Injection) -> Iterator[str]:
    """Yield the changes that the injection itself made to its target: naming one of them is right, too.

    A restart alone is what a fault does to a service, not what did it.
    """
    for change in situation.changes:
        if change.kinds <= {ChangeKind.RESTART}:
            continue
        if injection.start <= change.at <= injection.end and injection.target in change.services:
            yield change.event_id


def _errors(recording: Recording, begin: datetime, until: datetime) -> dict[str, int]:
    total: Counter[str] = Counter()
    for bucket, counts in recording.errors.items():
        if begin.timestamp() - BUCKET_SECONDS <= bucket <= until.timestamp():
            total.update(counts)
    return dict(total)


def _read(path: Path, kind: type[T]) -> list[T]:
    try:
        return [msgspec.json.decode(line, type=kind) for line in path.read_bytes().splitlines() if line.strip()]
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError("run", str(path), f"a journal of ./run chaos: {error}") from error
