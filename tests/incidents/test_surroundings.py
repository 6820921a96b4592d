"""What is looked up around an incident."""

from __future__ import annotations

from datetime import datetime

import pytest

from faultline.changes import version_change
from faultline.errors import DecodeError, SinkUnavailable
from incidents import surroundings as subject
from incidents.surroundings import LATE, LOOK_BACK, MAX_LINES, RecentChanges, Requests
from spark.models.root_cause.flow import END, Step
from spark.models.root_cause.naming import TemplateNames
from spark.models.root_cause.requests import NOTHING
from spark.models.templates import TemplateTree, template_id
from tests.spark.conftest import make_event
from tests.spark.models.root_cause.pieces import at

NAMES = TemplateNames(TemplateTree(["INFO order placed"]))
PLACED = template_id("INFO order placed")


def line(second: float, **fields: object) -> bytes:
    moment = at(second)
    told = {"service_name": "orders", "body": "order placed", "severity": "INFO", "trace_id": f"7f{second}"}
    return make_event(**{**told, "timestamp": moment, "observed_timestamp": moment, **fields}).to_bytes()


class Window:
    """Records as if the broker had them."""

    def __init__(self, *values: bytes) -> None:
        self.values = list(values)
        self.asked: list[tuple[datetime, datetime, int]] = []

    def between(self, begin: datetime, end: datetime, limit: int) -> list[bytes]:
        self.asked.append((begin, end, limit))
        return self.values


def test_steps_of_the_time_asked_for_are_counted() -> None:
    window = Window(line(-1), line(0), line(5), line(11), b"no record", line(6, trace_id=""))
    found = Requests(window, NAMES, "").see(at(0), at(10))
    assert found.steps == {Step("orders", "^", PLACED): 2, Step("orders", PLACED, END): 2}
    assert window.asked == [(at(0), at(10) + LATE, MAX_LINES)]


def test_broker_that_is_away_has_no_requests(caplog: pytest.LogCaptureFixture) -> None:
    class Away(Window):
        def between(self, begin: datetime, end: datetime, limit: int) -> list[bytes]:
            raise SinkUnavailable("logs: the broker does not answer", 1.0)

    assert Requests(Away(), NAMES, "").see(at(0), at(10)) == NOTHING
    assert "requests could not be read" in caplog.text


def test_changes_are_kept_once_and_told_while_they_are_recent() -> None:
    recent = RecentChanges({})
    for value in (version_change("orders", at(0), "1", "2").to_bytes(),) * 2:
        recent.take(value)
    assert len(recent.changes(at(10), at(20))) == 1
    assert recent.changes(at(-10), at(-5)) == []
    assert recent.changes(at(1) + LOOK_BACK, at(9) + LOOK_BACK) == []


def test_changes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "KEPT_CHANGES", 3)
    recent = RecentChanges({})
    for minute in range(9):
        recent.take(version_change("orders", at(60 * minute), "1", f"{minute}").to_bytes())
    assert [change.at for change in recent.changes(at(540), at(541))] == [at(360), at(420), at(480)]


def test_record_that_is_no_change_is_refused() -> None:
    with pytest.raises(DecodeError):
        RecentChanges({}).take(b"{}")
