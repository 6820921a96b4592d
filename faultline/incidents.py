"""What is written to topic `incidents`: one record per change of an incident, the newest version counts."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from faultline.errors import DecodeError
from faultline.records import Timestamp, encode


class IncidentState(StrEnum):
    """Where an incident stands (closed set)."""

    OPEN = "open"
    RESOLVED = "resolved"
    MERGED = "merged"  # turned out to be part of an older one


class CauseKind(StrEnum):
    """What may be a cause."""

    SERVICE = "service"
    CHANGE = "change"  # a deployment, commit, change of configuration, or event of the cloud


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that speaks for a cause: text as it was written, when, and how much it weighs."""

    at: Timestamp | None
    event_id: str  # of the line; empty for what was measured
    kind: str
    service_name: str
    text: str
    weight: float  # added to the cause's utility, see spark/models/root_cause/ranker.py


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """A ranked candidate."""

    evidence: list[Evidence]
    kind: CauseKind
    name: str  # of the service; of a change its event id
    probability: float
    title: str


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """Anomalies of one cause, as far as they are known by now."""

    anomalies: int
    causes: list[Cause]  # the most likely first, at most 5
    explanation: str
    incident_id: str
    merged_into: str  # incident id, empty unless merged
    model_version: str
    opened_at: Timestamp  # of the first anomaly
    resolved_at: Timestamp | None
    services: list[str]
    state: IncidentState
    updated_at: Timestamp
    version: int  # grows by one with every record of the incident

    def to_bytes(self) -> bytes:
        """Return the wire form, see records.py."""
        return encode(self)

    @classmethod
    def from_bytes(cls, value: bytes) -> Incident:
        """Decode one record; raises DecodeError when it is not one."""
        try:
            return _DECODER.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DecodeError("not_json", str(error)) from error


_DECODER = msgspec.json.Decoder(Incident)
