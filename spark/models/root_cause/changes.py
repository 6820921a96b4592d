"""Changes as candidates: which events tell of one change, and which services it may have touched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from msgspec import structs

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
    """The events of one change: what somebody told of it, and what services said of themselves meanwhile."""

    told: list[ChangeEvent]
    named: set[str]  # services that its text names
    own_words: list[ChangeEvent] = field(default_factory=list)

    def brings_out(self, event: ChangeEvent) -> bool:
        """Return whether what a service says of itself may be the work of this change.

        A pipeline may bring out anything until it has ended; a commit alone is of those it names, if any.
        """
        if not self.told:
            first, last = self.own_words[0], self.own_words[-1]
            return first.service_name == event.service_name and event.at - last.at <= LATE
        kinds = {known.kind for known in self.told}
        if ChangeKind.CLOUD in kinds or event.at < self.told[0].at:
            return False
        ended = [known.at for known in self.told if known.attributes.get(RESULT)]
        until = max(ended) + LATE if ended else self.told[-1].at + ROLLOUT
        is_meant = ChangeKind.PIPELINE in kinds or not self.named or event.service_name in self.named
        return is_meant and event.at <= until


def as_candidates(events: Iterable[ChangeEvent], catalog: Mapping[str, Entity]) -> Sequence[Change]:
    """Return a candidate for every change, in order of time; `catalog` by name in the logs.

    A commit and the pipeline that brings it out are one change, by their revision. So is what services say of
    themselves meanwhile, a new version or a new process: these are the services it touched, and when. A change that
    no service speaks of is of those that its text names, if any.
    """
    words = {name.lower(): entity.name for name, entity in catalog.items()}
    ordered = sorted(events, key=lambda event: (event.at, event.event_id))
    rollouts = _told([event for event in ordered if event.kind not in _OWN_WORD], words)
    for event in (event for event in ordered if event.kind in _OWN_WORD):
        said = structs.replace(event, service_name=own_name(catalog, event.service_name))
        # Of those that fit, the one that began last.
        fitting = [rollout for rollout in rollouts if rollout.brings_out(said)]
        found = max(fitting, key=lambda rollout: [*rollout.told, *rollout.own_words][0].at, default=None)
        if found is None:
            found = _Rollout([], set())
            rollouts.append(found)
        found.own_words.append(said)
    return sorted(map(_change, rollouts), key=lambda change: (change.at, change.event_id))


def _told(events: Sequence[ChangeEvent], words: Mapping[str, str]) -> list[_Rollout]:
    """Return the changes that somebody told of: events of one revision together, in order of time."""
    found: dict[str, _Rollout] = {}
    for event in events:
        rollout = found.setdefault(event.attributes.get(REVISION) or event.event_id, _Rollout([], set()))
        rollout.told.append(event)
        rollout.named |= {words[word.lower()] for word in _WORD.findall(event.text) if word.lower() in words}
    return list(found.values())


def _change(rollout: _Rollout) -> Change:
    """Return the change: it took effect when a service first spoke of it, else when it was last told of."""
    events = [*rollout.told, *rollout.own_words]
    services = {event.service_name for event in rollout.own_words} or rollout.named
    at: datetime = rollout.own_words[0].at if rollout.own_words else events[-1].at
    versions = [
        event.text for event in rollout.own_words if event.kind is ChangeKind.VERSION and event is not events[0]
    ]
    kinds = frozenset(event.kind for event in events)
    return Change(events[0].event_id, at, "; ".join([events[0].text, *versions]), tuple(sorted(services)), kinds)
