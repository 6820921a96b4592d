"""The record of an incident on the wire."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from faultline.errors import DecodeError
from faultline.incidents import Cause, CauseKind, Evidence, Incident, IncidentState

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def incident() -> Incident:
    evidence = Evidence(at=MOMENT, event_id="e", kind="said", service_name="orders", text="<b>odd</b>", weight=1.5)
    return Incident(
        anomalies=3,
        causes=[Cause(evidence=[evidence], kind=CauseKind.SERVICE, name="orders", probability=0.9, title="orders")],
        explanation="orders broke",
        incident_id="i1",
        merged_into="",
        model_version="m",
        opened_at=MOMENT,
        resolved_at=None,
        services=["orders"],
        state=IncidentState.OPEN,
        updated_at=MOMENT,
        version=1,
    )


def test_record_survives_the_wire() -> None:
    assert Incident.from_bytes(incident().to_bytes()) == incident()


def test_keys_are_sorted_and_times_have_six_digits() -> None:
    keys = list(json.loads(incident().to_bytes()))
    assert keys == sorted(keys)
    assert b'"opened_at":"2026-03-01T12:00:00.000000Z"' in incident().to_bytes()


NO_JSON, NO_RECORD, OTHER_STATE = b"{", b'{"incident_id":"i1"}', incident().to_bytes().replace(b'"open"', b'"ajar"')


@pytest.mark.parametrize("value", [NO_JSON, NO_RECORD, OTHER_STATE])
def test_other_bytes_are_refused(value: bytes) -> None:
    with pytest.raises(DecodeError):
        Incident.from_bytes(value)
