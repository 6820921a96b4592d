"""Lines as parts of requests: what flow.py and calls.py learn from and judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from faultline.records import Event
from spark.models.features import event_duration, event_operation, session_keys
from spark.models.root_cause.calls import Part, waits
from spark.models.root_cause.flow import Counts, FlowLine, count_steps
from spark.models.root_cause.numbers import Series


class SeenRequests(NamedTuple):
    """What the requests of some seconds show."""

    steps: Counts
    waits: Mapping[Series, Sequence[float]]  # see calls.waits


NOTHING: Final = SeenRequests(Counter(), {})


def see_requests(events: Sequence[Event], templates: Sequence[str], pattern: str = "") -> SeenRequests:
    """Return what the requests of some records show; `templates` [n] are ids."""
    steps = count_steps(flow_lines(events, templates, pattern))
    return SeenRequests(steps, waits(request_parts(events, pattern)))


def flow_lines(events: Sequence[Event], templates: Sequence[str], pattern: str = "") -> Iterator[FlowLine]:
    """Yield the lines that belong to a request; `templates` [n] are ids, `pattern` as in features.session_keys."""
    for event, template, key in zip(events, templates, session_keys(events, pattern), strict=True):
        if key:
            order = event.timestamp.timestamp()
            yield FlowLine(event.service_name, key, order, template, event_operation(event))


def request_parts(events: Sequence[Event], pattern: str = "") -> Iterator[Part]:
    """Yield the time that each line of a request tells of; a line without a duration is a moment."""
    for event, key in zip(events, session_keys(events, pattern), strict=True):
        if key:
            end = event.timestamp.timestamp()
            yield Part(event.service_name, key, end - (event_duration(event) or 0.0), end)
