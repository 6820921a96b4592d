"""What is written to topic `anomalies`: an abnormal line, service or session, each told by the field `kind`."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from faultline.errors import DecodeError
from faultline.records import Severity, SourceType, Timestamp, encode


class Anomaly(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="line"):
    """A line the detector calls abnormal, with what a person needs to judge it."""

    attributes: dict[str, str]
    body: str
    detector: str
    event_id: str
    host_name: str
    known_template: bool
    model_version: str
    nearest_distance: float
    nearest_template: str
    observed_timestamp: Timestamp
    p_value: float
    score: float
    service_name: str
    severity: Severity
    source_type: SourceType
    template: str
    template_id: str
    timestamp: Timestamp
    trace_id: str

    def to_bytes(self) -> bytes:
        """Return the wire form, see records.py."""
        return encode(self)

    @classmethod
    def from_bytes(cls, value: bytes) -> Anomaly:
        """Decode one abnormal line; raises DecodeError when it is not one."""
        return _decoded(_LINE_DECODER, value)


class Deviation(msgspec.Struct, frozen=True, kw_only=True):
    """A feature that moved: its value, the usual one, and how far apart they are in units of normal spread."""

    deviation: float
    feature: str
    usual: float
    value: float


class EvidenceLine(msgspec.Struct, frozen=True, kw_only=True):
    """An abnormal line of the window, its text as it was written (cut at 2,000 characters; whole under its id)."""

    body: str
    event_id: str
    nearest_distance: float
    nearest_template: str
    p_value: float
    source_type: SourceType
    template: str
    timestamp: Timestamp


class ServiceAnomaly(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="service"):
    """A window in which a service is abnormal: what its lines say and what its numbers do, joined.

    `p_value` is that of both together. Written when it begins and while it lasts, see spark/models/fleet.py.
    """

    detectors: list[str]  # those that call the window abnormal
    deviations: list[Deviation]
    event_id: str
    explanation: str
    lines: list[EvidenceLine]
    model_version: str
    p_value: float
    semantic_p_value: float
    service_name: str
    since: Timestamp  # start of the first abnormal window
    structured_p_value: float
    structured_score: float
    window_end: Timestamp
    window_start: Timestamp

    def to_bytes(self) -> bytes:
        """Return the wire form, see records.py."""
        return encode(self)


class TemplateCount(msgspec.Struct, frozen=True, kw_only=True):
    """How often a template came in a session, and how often in the nearest normal one.

    `deviation` is how far apart they are, in units of normal spread.
    """

    count: int
    deviation: float
    template: str
    usual: int


class SessionAnomaly(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="session"):
    """A session, lines of one request or block, that is unlike those of normal time.

    Of very many at a time only the most abnormal ones are written, see MAX_RECORDS in spark/models/session_joining.py;
    the metric faultline_anomalies_total counts all of them.
    """

    detector: str
    event_id: str
    explanation: str
    first: Timestamp  # second of its first line
    last: Timestamp
    model_version: str
    moved: list[TemplateCount]  # what weighs most first
    p_value: float
    score: float
    service_name: str  # whose lines moved most
    services: list[str]  # that wrote lines of it
    session_key: str

    def to_bytes(self) -> bytes:
        """Return the wire form, see records.py."""
        return encode(self)


AnyAnomaly = Anomaly | ServiceAnomaly | SessionAnomaly


def read_anomaly(value: bytes) -> AnyAnomaly:
    """Decode one record of topic `anomalies`; raises DecodeError when it is not one."""
    return _decoded(_ANOMALY_DECODER, value)


T = TypeVar("T")


def _decoded(decoder: msgspec.json.Decoder[T], value: bytes) -> T:
    try:
        return decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError("not_json", str(error)) from error


_LINE_DECODER = msgspec.json.Decoder(Anomaly)
_ANOMALY_DECODER: msgspec.json.Decoder[AnyAnomaly] = msgspec.json.Decoder(AnyAnomaly)
