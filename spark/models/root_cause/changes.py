"""Changes as candidates: which events tell of one change, and which services it may have touched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from faultline.catalog.entities import Entity, own_name
from faultline.changes import ChangeEvent, ChangeKind
from spark.models.root_cause.situation import Change

ROLLOUT: Final = timedelta(minutes=5)  # between a commit or a pipeline's begin and the services it brings out
LATE: Final = timedelta(seconds=30)  # after a pipeline's end, for a service to say what it runs; between two restarts
REVISION: Final = "vcs.ref.head.revision"
RESULT: Final = "cicd.pipeline.result"
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_OWN_WORD: Final = frozenset({ChangeKind.VERSION, ChangeKind.RESTART})


@dataclass
class _Rollout:
    """The events of one change, in order of time."""

    events: list[ChangeEvent]

    @property
    def own_words(self) -> list[ChangeEvent]:
        """What services said of themselves."""
        return [event for event in self.events if event.kind in _OWN_WORD]

    def brings_out(self, event: ChangeEvent) -> bool:
        """Return whether what a service says of itself may be the work of this change."""
        told = [known for known in self.events if known.kind not in _OWN_WORD]
        if not told:
            return self.events[0].service_name == event.service_name and event.at - self.events[-1].at <= LATE
        ended = [known.at for known in told if known.attributes.get(RESULT)]
        until = max(ended) + LATE if ended else told[0].at + ROLLOUT
        return told[0].kind is not ChangeKind.CLOUD and told[0].at <= event.at <= until


def as_candidates(events: Iterable[ChangeEvent], catalog: Mapping[str, Entity]) -> Sequence[Change]:
    """Return a candidate for every change, in order of time; `catalog` by name in the logs.

    A commit and the pipeline that brings it out are one change, by their revision. So is what services say of
    themselves meanwhile, a new version or a new process: these are the services it touched, and when. A change that
    no service speaks of is of those that its text names, if any.
    """
    rollouts: list[_Rollout] = []
    by_revision: dict[str, _Rollout] = {}
    # Of one moment, the cause comes first.
    for event in sorted(events, key=lambda event: (event.at, event.kind in _OWN_WORD, event.event_id)):
        found = _rollout_of(event, rollouts, by_revision)
        if found is None:
            found = _Rollout([])
            rollouts.append(found)
        found.events.append(event)
        if revision := event.attributes.get(REVISION):
            by_revision[revision] = found
    changes = (_change(rollout, catalog) for rollout in rollouts)
    return sorted(changes, key=lambda change: (change.at, change.event_id))


def _rollout_of(
    event: ChangeEvent, rollouts: Sequence[_Rollout], by_revision: Mapping[str, _Rollout]
) -> _Rollout | None:
    """Return the change that an event is of, the latest that fits."""
    if event.kind in _OWN_WORD:
        return next((rollout for rollout in reversed(rollouts) if rollout.brings_out(event)), None)
    return by_revision.get(event.attributes.get(REVISION, ""))


def _change(rollout: _Rollout, catalog: Mapping[str, Entity]) -> Change:
    """Return the change: it took effect when a service first spoke of it, else when it was last told of."""
    first, own = rollout.events[0], rollout.own_words
    services = sorted({own_name(catalog, event.service_name) for event in own} or _named(rollout, catalog))
    at: datetime = own[0].at if own else rollout.events[-1].at
    versions = [event.text for event in own if event.kind is ChangeKind.VERSION and event is not first]
    return Change(first.event_id, at, "; ".join([first.text, *versions]), tuple(services))


def _named(rollout: _Rollout, catalog: Mapping[str, Entity]) -> set[str]:
    words = {word.lower() for event in rollout.events for word in _WORD.findall(event.text)}
    return {entity.name for name, entity in catalog.items() if name.lower() in words}
