"""Changes as candidates: which services a change may have touched, and which events tell of one change."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from faultline.catalog.entities import Entity
from faultline.changes import ChangeEvent, ChangeKind
from spark.models.root_cause.situation import Change

ROLLOUT: Final = timedelta(minutes=5)  # between a pipeline's begin and the service that says its new version
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def as_candidates(events: Iterable[ChangeEvent], catalog: Mapping[str, Entity]) -> Sequence[Change]:
    """Return a candidate for every change, in order of time; `catalog` by name in the logs.

    A version says of which service it is. Commits and pipelines that came shortly before it are of the same rollout,
    and of that service; else a change is of the services that its text names, if any.
    """
    ordered = sorted(events, key=lambda event: (event.at, event.event_id))
    versions = [event for event in ordered if event.kind is ChangeKind.VERSION]
    return [Change(event.event_id, event.at, event.text, _services(event, versions, catalog)) for event in ordered]


def _services(event: ChangeEvent, versions: Sequence[ChangeEvent], catalog: Mapping[str, Entity]) -> tuple[str, ...]:
    if event.service_name:
        return (event.service_name,)
    rolled_out = (
        {version.service_name for version in versions if timedelta(0) <= version.at - event.at <= ROLLOUT}
        if event.kind is not ChangeKind.CLOUD
        else set()
    )
    words = {word.lower() for word in _WORD.findall(event.text)}
    named = {entity.name for name, entity in catalog.items() if name.lower() in words}
    return tuple(sorted(rolled_out or named))
