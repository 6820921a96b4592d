"""Events as parts of requests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from faultline.records import Event
from spark.models.root_cause.flow import END, Step, count_steps
from spark.models.root_cause.requests import flow_lines, request_parts

MakeEvent = Callable[..., Event]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_lines_of_a_request_are_its_steps(event: MakeEvent) -> None:
    route = {"http.route": "/orders"}
    events = [
        event(service_name="orders", trace_id="7f", timestamp=NOON + timedelta(seconds=1), attributes=route),
        event(service_name="orders", trace_id="7f", timestamp=NOON, attributes=route),
        event(service_name="orders", trace_id="", timestamp=NOON, attributes={}),
    ]
    counts = count_steps(flow_lines(events, ["stored", "received", "tick"]))
    assert counts == {
        Step("orders", "^/orders", "received"): 1,
        Step("orders", "received", "stored"): 1,
        Step("orders", "stored", END): 1,
    }


def test_part_of_a_request_ends_with_its_line(event: MakeEvent) -> None:
    events = [
        event(service_name="orders", trace_id="7f", timestamp=NOON, measures={"duration_ms": 250.0}),
        event(service_name="payments", trace_id="7f", timestamp=NOON, measures={}),
        event(service_name="worker", trace_id="", timestamp=NOON, measures={"duration_ms": 250.0}),
    ]
    whole, moment = request_parts(events)
    assert (whole.service_name, whole.request, whole.end) == ("orders", "7f", NOON.timestamp())
    assert whole.end - whole.begin == pytest.approx(0.25)
    assert moment.begin == moment.end
