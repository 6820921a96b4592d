"""Where incidents are kept: one SQLite file, in which state, offsets and records change together or not at all.

So an incident is opened once whatever is killed: what was read after the last transaction is read again, and makes the
same incidents. Records go to Kafka from here, at least once, and carry id and version. Bounded by KEPT_INCIDENTS.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

import msgspec

from faultline.errors import ArtifactError
from faultline.feedback import CandidateTable, Feedback, Learned, Pattern, learn
from faultline.incidents import Incident, IncidentState
from spark.models.root_cause.grouping import Grouping
from spark.models.root_cause.situation import Candidates

KEPT_INCIDENTS: Final = 10_000  # closed ones beyond are dropped, the oldest first
FORMAT: Final = 1
BUSY_SECONDS: Final = 10.0
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS incident (
    incident_id TEXT PRIMARY KEY,
    opened_at TEXT NOT NULL,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    published INTEGER NOT NULL,
    record BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS pattern (incident_id TEXT PRIMARY KEY, patterns BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS candidates (incident_id TEXT PRIMARY KEY, record BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS verdict (
    feedback_id TEXT PRIMARY KEY,
    incident_id TEXT NOT NULL,
    published INTEGER NOT NULL,
    record BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS incident_opened ON incident (opened_at);
CREATE INDEX IF NOT EXISTS incident_state ON incident (state);
"""


class IncidentStore:
    """The file; one writer, any number of readers."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the file, or make it; raises ArtifactError when it is something else or of another version."""
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            found = db.execute("PRAGMA user_version").fetchone()[0]
            if found not in (0, FORMAT):
                raise sqlite3.DatabaseError(f"format {found}")
            db.executescript(f"{_SCHEMA} PRAGMA user_version = {FORMAT};")
        except sqlite3.DatabaseError as error:
            db.close()
            text = f"{path}: {error}, expected incidents of format {FORMAT}; move the file away to begin anew"
            raise ArtifactError(text) from error
        return cls(db)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def grouping(self) -> Grouping:
        """Return the state of grouping, empty at first."""
        value = self._value("grouping")
        return Grouping() if value is None else msgspec.msgpack.decode(value, type=Grouping)

    def offsets(self) -> dict[int, int]:
        """Return the next offset to read of each partition; empty at first."""
        value = self._value("offsets")
        return {} if value is None else msgspec.msgpack.decode(value, type=dict[int, int])

    def commit(
        self,
        grouping: Grouping,
        offsets: Mapping[int, int],
        incidents: Sequence[Incident],
        patterns: Mapping[str, Sequence[Pattern]] = MappingProxyType({}),
        candidates: Mapping[str, Candidates] = MappingProxyType({}),
    ) -> None:
        """Keep what a step came to, all of it or nothing; `patterns` and `candidates` of incidents, by id."""
        with self._transaction():
            self._keep("grouping", msgspec.msgpack.encode(grouping))
            self._keep("offsets", msgspec.msgpack.encode(dict(offsets)))
            for incident in incidents:
                self._db.execute(
                    "INSERT INTO incident VALUES (?, ?, ?, ?, 0, ?) ON CONFLICT (incident_id) DO UPDATE SET"
                    " opened_at = excluded.opened_at, state = excluded.state, version = excluded.version,"
                    " published = 0, record = excluded.record",
                    (
                        incident.incident_id,
                        incident.opened_at.isoformat(),
                        incident.state.value,
                        incident.version,
                        incident.to_bytes(),
                    ),
                )
            for incident_id, found in patterns.items():
                self._db.execute(
                    "INSERT OR REPLACE INTO pattern VALUES (?, ?)", (incident_id, msgspec.json.encode(list(found)))
                )
            for incident_id, ranked in candidates.items():
                record = msgspec.json.encode(ranked.table())
                self._db.execute("INSERT OR REPLACE INTO candidates VALUES (?, ?)", (incident_id, record))
            self._drop_oldest()

    def unpublished(self) -> list[Incident]:
        """Return the incidents whose newest version has not been acknowledged by the broker, oldest first."""
        rows = self._db.execute("SELECT record FROM incident WHERE published = 0 ORDER BY opened_at, incident_id")
        return [Incident.from_bytes(record) for (record,) in rows]

    def mark_published(self, incidents: Sequence[Incident]) -> None:
        """Note what the broker has acknowledged; a newer version that came meanwhile stays to be published."""
        with self._transaction():
            self._db.executemany(
                "UPDATE incident SET published = 1 WHERE incident_id = ? AND version = ?",
                [(incident.incident_id, incident.version) for incident in incidents],
            )

    def find(self, incident_id: str) -> Incident | None:
        """Return an incident, None when there is none of that id."""
        row = self._db.execute("SELECT record FROM incident WHERE incident_id = ?", (incident_id,)).fetchone()
        return Incident.from_bytes(row[0]) if row else None

    def newest(self, count: int, state: IncidentState | None = None, before: str = "") -> list[Incident]:
        """Return incidents, the newest first; `before` is the `opened_at` in ISO 8601 to go on from."""
        rows = self._db.execute(
            "SELECT record FROM incident WHERE (? = '' OR state = ?) AND (? = '' OR opened_at < ?)"
            " ORDER BY opened_at DESC, incident_id LIMIT ?",
            (state.value if state else "", state.value if state else "", before, before, count),
        )
        return [Incident.from_bytes(record) for (record,) in rows]

    def count(self, state: IncidentState) -> int:
        """Return how many incidents are in a state."""
        return int(self._db.execute("SELECT count(*) FROM incident WHERE state = ?", (state.value,)).fetchone()[0])

    def add_verdict(self, verdict: Feedback) -> None:
        """Keep a verdict; the same one again changes nothing."""
        with self._transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO verdict VALUES (?, ?, 0, ?)",
                (verdict.feedback_id, verdict.incident_id, verdict.to_bytes()),
            )

    def verdicts(self, incident_id: str = "") -> list[Feedback]:
        """Return all verdicts, or those on one incident, in the order in which they came."""
        rows = self._db.execute(
            "SELECT record FROM verdict WHERE ? = '' OR incident_id = ? ORDER BY rowid", (incident_id, incident_id)
        )
        return [Feedback.from_bytes(record) for (record,) in rows]

    def unpublished_verdicts(self) -> list[Feedback]:
        """Return the verdicts that the broker has not acknowledged, in the order in which they came."""
        rows = self._db.execute("SELECT record FROM verdict WHERE published = 0 ORDER BY rowid")
        return [Feedback.from_bytes(record) for (record,) in rows]

    def mark_verdicts_published(self, verdicts: Sequence[Feedback]) -> None:
        """Note which verdicts the broker has acknowledged."""
        with self._transaction():
            self._db.executemany(
                "UPDATE verdict SET published = 1 WHERE feedback_id = ?", [(v.feedback_id,) for v in verdicts]
            )

    def learned(self) -> list[Learned]:
        """Return what the verdicts teach, see faultline/feedback.py."""
        return learn(self.verdicts())

    def subject(self, incident_id: str) -> tuple[list[Pattern], CandidateTable]:
        """Return what a verdict on an incident is about: its patterns and its candidates."""
        queries = (
            "SELECT patterns FROM pattern WHERE incident_id = ?",
            "SELECT record FROM candidates WHERE incident_id = ?",
        )
        patterns, candidates = (self._db.execute(query, (incident_id,)).fetchone() for query in queries)
        return (
            msgspec.json.decode(patterns[0], type=list[Pattern]) if patterns else [],
            msgspec.json.decode(candidates[0], type=CandidateTable) if candidates else CandidateTable(),
        )

    def _value(self, name: str) -> bytes | None:
        row = self._db.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def _keep(self, name: str, value: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (name, value))

    def _drop_oldest(self) -> None:
        self._db.execute(
            "DELETE FROM incident WHERE published = 1 AND state != ? AND incident_id IN"
            " (SELECT incident_id FROM incident ORDER BY opened_at DESC LIMIT -1 OFFSET ?)",
            (IncidentState.OPEN.value, KEPT_INCIDENTS),
        )
        for table in ("pattern", "candidates"):
            self._db.execute(
                f"DELETE FROM {table} WHERE incident_id NOT IN (SELECT incident_id FROM incident)"  # noqa: S608 - ours
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
