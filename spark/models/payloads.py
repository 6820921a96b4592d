"""What the first stage tells the second of an Arrow batch: facts of services, pieces of sessions, how late it is."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final
from zlib import crc32

import msgspec

from faultline.changes import ChangeEvent, change_of, told_start, told_version
from faultline.records import Event
from spark.models.features import UNKNOWN_TEMPLATE, Fact, event_facts, event_second, session_keys
from spark.models.fleet import Payload
from spark.models.session_model import SessionModel
from spark.models.session_state import Piece, SessionPayload, cut_pieces
from spark.models.structured import StructuredModel

FACTS: Final = "facts"
SESSIONS: Final = "sessions"
SHARDS: Final = 4  # of open sessions, by key: each is a state of its own, so that one batch rewrites none of them whole
UNKNOWN_LINE: Final = "unknown"  # stands for the template of a line that has none

_ENCODE = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True)
class ScoredLines:
    """Records of an Arrow batch, n of them, with what the semantic model made of them."""

    events: Sequence[Event]
    appended: Sequence[datetime]  # when the broker took them
    partitions: Sequence[int]
    template_ids: Sequence[str]
    known: Sequence[bool]
    routine: Sequence[bool]  # new, and saying nothing alarming: see Verdict.routine

    def names(self, vocabulary: Container[str] | None) -> list[str]:
        """Return what event_facts counts a line's template as; "" for one that no feature is made of."""
        counted = [
            UNKNOWN_TEMPLATE if not known else f"template:{name}" if vocabulary is None or name in vocabulary else ""
            for name, known in zip(self.template_ids, self.known, strict=True)
        ]
        return ["" if routine else name for name, routine in zip(counted, self.routine, strict=True)]

    @cached_property
    def seconds(self) -> list[int]:
        """The second each record belongs to."""
        return [event_second(event, moment) for event, moment in zip(self.events, self.appended, strict=True)]

    @cached_property
    def marks(self) -> dict[int, int]:
        """The newest second of each partition."""
        marks: dict[int, int] = {}
        for second, partition in zip(self.seconds, self.partitions, strict=True):
            marks[partition] = max(marks.get(partition, 0), second)
        return marks

    def facts(self, vocabulary: Container[str] | None) -> list[Fact]:
        """Return the facts of the records, with every template or those of a vocabulary."""
        return event_facts(self.events, self.names(vocabulary), self.seconds)

    def changes(self) -> list[ChangeEvent]:
        """Return the changes that the records tell of."""
        return [change for change in map(change_of, self.events) if change is not None]

    def versions(self) -> dict[str, tuple[int, str]]:
        """Return the version each service last said that it runs, and in which second."""
        found: dict[str, tuple[int, str]] = {}
        for event, second in zip(self.events, self.seconds, strict=True):
            if version := told_version(event):
                found[event.service_name] = max(found.get(event.service_name, (0, "")), (second, version))
        return found

    def starts(self) -> dict[str, float]:
        """Return when the newest process of each service began that its metrics tell of, Unix time."""
        found: dict[str, float] = {}
        for event in self.events:
            if began := told_start(event):
                found[event.service_name] = max(found.get(event.service_name, 0.0), began)
        return found

    def pieces(self, pattern: str) -> list[Piece]:
        """Return the pieces of sessions, keys found as features.session_keys does; routine lines are part of none."""
        keys = session_keys(self.events, pattern)
        return cut_pieces(
            ["" if routine else key for key, routine in zip(keys, self.routine, strict=True)],
            self.seconds,
            [event.service_name for event in self.events],
            [name if known else UNKNOWN_LINE for name, known in zip(self.template_ids, self.known, strict=True)],
        )


def payload_rows(
    lines: ScoredLines, structured: StructuredModel | None, sessions: SessionModel | None
) -> list[dict[str, Any]]:
    """Return the rows of kind FACTS and SESSIONS of a batch, as far as the model has these parts.

    Every shard gets its row, with or without lines: one that missed the time would keep what is over open.
    """
    if not lines.events:
        return []
    rows: list[dict[str, Any]] = []
    if structured is not None:
        facts = lines.facts(structured.templates)
        payload = Payload(structured.folder, lines.marks, facts, lines.changes(), lines.versions(), lines.starts())
        rows.append({"kind": FACTS, "record": _ENCODE(payload)})
    if sessions is not None:
        rows += _session_rows(sessions.folder, lines.marks, lines.pieces(sessions.pattern))
    return rows


def _session_rows(model: str, marks: dict[int, int], pieces: Sequence[Piece]) -> list[dict[str, Any]]:
    shards: list[list[Piece]] = [[] for _ in range(SHARDS)]
    for piece in pieces:
        shards[crc32(piece.key.encode()) % SHARDS].append(piece)
    return [
        {"kind": SESSIONS, "partition": shard, "record": _ENCODE(SessionPayload(model, marks, held))}
        for shard, held in enumerate(shards)
    ]
