"""What a step looks up around an incident: its requests in topic `logs`, and recent changes in topic `changes`."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from faultline.catalog.entities import Entity
from faultline.changes import ChangeEvent
from faultline.errors import DecodeError, SinkUnavailable
from faultline.records import Event
from spark.models.root_cause.changes import as_candidates
from spark.models.root_cause.naming import TemplateNames
from spark.models.root_cause.requests import NOTHING, SeenRequests, see_requests
from spark.models.root_cause.situation import Change

MAX_LINES: Final = 50_000  # read for one look: some seconds of a busy estate, a second to decode
KEPT_CHANGES: Final = 20_000  # some 10 MB; half an hour of a large estate
LOOK_BACK: Final = timedelta(minutes=30)  # for changes
LATE: Final = timedelta(seconds=2)  # that a line reaches the broker after its time

logger = logging.getLogger(__name__)


class Window(Protocol):
    """Where records of a time can be had."""

    def between(self, begin: datetime, end: datetime, limit: int) -> Iterable[bytes]:
        """Return the values of that time."""
        ...


class Requests:
    """What requests show, read from topic `logs` when asked for."""

    def __init__(self, window: Window, names: TemplateNames, pattern: str) -> None:
        self._window, self._names, self._pattern = window, names, pattern

    def see(self, begin: datetime, end: datetime) -> SeenRequests:
        """Look at the requests between two times; at none, with a word in the log, when the broker is away."""
        try:
            values = list(self._window.between(begin, end + LATE, MAX_LINES))
        except SinkUnavailable as error:
            logger.warning("requests could not be read", extra={"error": str(error)})
            return NOTHING
        events = [event for event in map(_event, values) if event is not None and begin <= event.timestamp <= end]
        return see_requests(events, self._names.ids(events), self._pattern)


class RecentChanges:
    """The last changes, as topic `changes` tells of them; bounded by KEPT_CHANGES."""

    def __init__(self, catalog: Mapping[str, Entity]) -> None:
        self.catalog = catalog
        self._kept: deque[ChangeEvent] = deque(maxlen=KEPT_CHANGES)
        self._ids: set[str] = set()

    def take(self, value: bytes) -> None:
        """Take a record of the topic in, once; raises DecodeError when it is none."""
        change = ChangeEvent.from_bytes(value)
        if change.event_id in self._ids:
            return
        if len(self._kept) == self._kept.maxlen:
            self._ids.discard(self._kept[0].event_id)
        self._kept.append(change)
        self._ids.add(change.event_id)

    def changes(self, begin: datetime, end: datetime) -> Sequence[Change]:
        """Return the changes from LOOK_BACK before `begin` to `end`, as candidates."""
        found = [change for change in self._kept if begin - LOOK_BACK <= change.at <= end]
        return as_candidates(found, self.catalog)


def _event(value: bytes) -> Event | None:
    try:
        return Event.from_bytes(value)
    except DecodeError:
        return None  # the stream has set it aside
