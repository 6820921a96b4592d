"""Changes on the wire, and what they are made of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from faultline.changes import TEXT_CHARS, ChangeEvent, ChangeKind, change_of, told_start, version_change
from faultline.errors import DecodeError
from faultline.records import Event, Severity, SourceType

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def event(source_type: SourceType, **fields: Any) -> Event:
    given: dict[str, Any] = {
        "attributes": {"vcs.repository.name": "example/shop", "event.payload": "{}", "url.full": ""},
        "body": "Round amounts",
        "event_id": "e1",
        "host_name": "h",
        "measures": {},
        "observed_timestamp": NOON,
        "service_name": "github",
        "severity": Severity.INFO,
        "source_type": source_type,
        "timestamp": NOON,
        "trace_id": "",
    }
    return Event(**{**given, **fields})


@pytest.mark.parametrize(
    ("source_type", "kind"),
    [
        (SourceType.GITHUB_COMMITS, ChangeKind.COMMIT),
        (SourceType.GITHUB_ACTIONS, ChangeKind.PIPELINE),
        (SourceType.PUBLIC_CLOUD, ChangeKind.CLOUD),
    ],
)
def test_change_keeps_id_time_text_and_what_identifies_it(source_type: SourceType, kind: ChangeKind) -> None:
    found = change_of(event(source_type))
    assert found is not None
    assert (found.kind, found.event_id, found.at, found.text) == (kind, "e1", NOON, "Round amounts")
    assert found.attributes == {"vcs.repository.name": "example/shop"}


def test_other_records_are_no_change() -> None:
    assert change_of(event(SourceType.APP_CONTAINER_LOG)) is None


def test_long_message_is_cut() -> None:
    found = change_of(event(SourceType.GITHUB_COMMITS, body="x" * 10_000))
    assert found is not None
    assert len(found.text) == TEXT_CHARS


def test_change_survives_the_wire() -> None:
    change = version_change("orders", NOON, "1.0", "1.1")
    assert ChangeEvent.from_bytes(change.to_bytes()) == change
    assert change.text == "orders runs version 1.1, before 1.0"
    assert change.event_id == version_change("orders", NOON, "1.0", "1.1").event_id
    assert change.event_id != version_change("orders", NOON, "1.0", "1.2").event_id


@pytest.mark.parametrize("value", [b"{", b"{}", b'{"kind":"odd"}'])
def test_other_bytes_are_refused(value: bytes) -> None:
    with pytest.raises(DecodeError):
        ChangeEvent.from_bytes(value)


@pytest.mark.parametrize("began", [float("nan"), -1.0, 0.0, 1e300, 1000.0 * NOON.timestamp()])
def test_start_that_cannot_be_is_none(began: float) -> None:
    page = event(SourceType.APP_CONTAINER_METRICS, measures={"process_start_time_seconds": began})
    assert told_start(page) == 0.0


def test_start_is_told_by_metrics_pages_only() -> None:
    measures = {"process_start_time_seconds": NOON.timestamp() - 60}
    assert told_start(event(SourceType.APP_CONTAINER_METRICS, measures=measures)) == NOON.timestamp() - 60
    assert told_start(event(SourceType.APP_CONTAINER_LOG, measures=measures)) == 0.0
