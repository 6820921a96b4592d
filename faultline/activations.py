"""From when on which model version scores: a small file beside a stream's checkpoint.

A streaming query's code is fixed when it starts, so workers look up the version themselves: by the time of their
micro-batch. Spark fixes that time before the batch runs and keeps it in the offset log; the same batch repeated
after a crash asks for the same time and gets the same version, and no batch mixes two.
tests/spark/test_champion_stream.py holds Spark to this.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from faultline.errors import ArtifactError

# A batch that runs now was planned before; a batch planned from then on finds the entry whoever reads it, and when.
LEAD: Final = timedelta(seconds=2)
KEPT: Final = 100  # entries; only the last batch is ever repeated, and none lasts a hundred promotions


@dataclass(frozen=True)
class Activation:
    """`version` scores every batch from `since` on, until a later entry says otherwise."""

    since: datetime  # aware, UTC
    version: str


@dataclass(frozen=True)
class Activations:
    """The file and the folder of models its versions lie in; small enough to travel to every worker."""

    path: Path
    models: Path

    def folder_at(self, moment: datetime) -> Path:
        """Return the folder of the model that scores a batch of this time; raises ArtifactError when there is none."""
        return self.models / self.version_at(moment)

    def version_at(self, moment: datetime) -> str:
        """Return the version of the last entry at or before a time, or the first of all.

        A batch before the first entry is one of a stream that kept no such file yet. Raises ArtifactError when the
        file is missing, empty or damaged.
        """
        entries = self.entries()
        if not entries:
            raise ArtifactError(f"{self.path} names no model, expected one; start the stream again, which writes it")
        return next((entry.version for entry in reversed(entries) if entry.since <= moment), entries[0].version)

    def newest(self) -> str | None:
        """Return the version that scores from now on, None when none was activated yet."""
        entries = self.entries()
        return entries[-1].version if entries else None

    def activate(self, version: str, since: datetime) -> None:
        """Add an entry; one writer at a time, readers see the file before or after.

        `since` is a little in the future (LEAD) while the stream runs, so that no batch under way is affected.
        """
        entries = [*self.entries(), Activation(since.astimezone(UTC), version)][-KEPT:]
        lines = (json.dumps(asdict(entry) | {"since": entry.since.isoformat()}) + "\n" for entry in entries)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        work = self.path.with_name(f".{self.path.name}-{os.getpid()}")
        with work.open("w") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        work.replace(self.path)

    def entries(self) -> list[Activation]:
        """Return all entries in the order they were written; raises ArtifactError when a line is not one."""
        try:
            lines = self.path.read_text().splitlines()
        except FileNotFoundError:
            return []
        return [self._parse(number, line) for number, line in enumerate(lines, 1)]

    def _parse(self, number: int, line: str) -> Activation:
        try:
            fields = json.loads(line)
            entry = Activation(datetime.fromisoformat(fields["since"]), str(fields["version"]))
            if entry.since.tzinfo is None:
                raise ValueError("a time without zone")
        except (ValueError, KeyError, TypeError) as error:
            text = f"{self.path}:{number}: {line[:80]!r} is no activation ({error!r}); remove the file, start again"
            raise ArtifactError(text) from error
        return entry
