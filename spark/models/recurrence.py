"""Abnormal lines that keep coming are how it is now: after the recovery time they are no anomaly any more.

A new release writes a line that training never saw. Nothing but a new training would make it normal; until then it
would be abnormal for ever. So each template that a service keeps writing is accepted once it has come, without a long
pause, for as long as drift.py takes to accept a change of numbers. An incident that people end earlier is not learned.
"""

from __future__ import annotations

from typing import Final

import msgspec

from spark.models.drift import RECOVERY_SECONDS

PAUSE_SECONDS: Final = RECOVERY_SECONDS / 4  # lines further apart are events of their own
MAX_TEMPLATES: Final = 2000  # followed at a time; beyond, the one not seen for longest is forgotten


class Recurrence(msgspec.Struct, array_like=True):
    """Since when a template has come without a long pause, and when last; seconds of Unix time."""

    since: int
    last: int


class Recurrences(msgspec.Struct):
    """Abnormal templates by service and template id, in the order in which they were seen last."""

    version: str = ""  # of the model that calls them abnormal
    known: dict[str, Recurrence] = {}

    def accepts(self, service: str, template_id: str, second: int) -> bool:
        """Note an abnormal line; True when its template has lasted long enough to be normal by now."""
        key = f"{template_id} {service}"
        found = self.known.pop(key, None)
        if found is None or second - found.last > PAUSE_SECONDS:
            found = Recurrence(second, second)
        found.last = max(found.last, second)
        self.known[key] = found
        if len(self.known) > MAX_TEMPLATES:
            del self.known[next(iter(self.known))]
        return found.last - found.since >= RECOVERY_SECONDS
