"""What is written to topic `changes`: whatever somebody or something changed in what is watched."""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256
from typing import Final

import msgspec

from faultline.errors import DecodeError
from faultline.records import Event, SourceType, Timestamp, encode

TEXT_CHARS: Final = 1000  # of a commit's message; the whole is in topic logs


class ChangeKind(StrEnum):
    """Where a change was seen (closed set)."""

    COMMIT = "commit"
    PIPELINE = "pipeline"
    CLOUD = "cloud"
    VERSION = "version"  # a service says that it runs another version than before
    RESTART = "restart"  # a service says that its process began anew


CHANGE_KINDS: Final = {
    SourceType.GITHUB_COMMITS: ChangeKind.COMMIT,
    SourceType.GITHUB_ACTIONS: ChangeKind.PIPELINE,
    SourceType.PUBLIC_CLOUD: ChangeKind.CLOUD,
}


class ChangeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One change; `service_name` is empty where the event names none."""

    at: Timestamp
    attributes: dict[str, str]
    event_id: str
    kind: ChangeKind
    service_name: str
    text: str

    def to_bytes(self) -> bytes:
        """Return the wire form, see records.py."""
        return encode(self)

    @classmethod
    def from_bytes(cls, value: bytes) -> ChangeEvent:
        """Decode one record; raises DecodeError when it is not one."""
        try:
            return _DECODER.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DecodeError("not_json", str(error)) from error


_DECODER = msgspec.json.Decoder(ChangeEvent)
# Named so by every client library: prometheus.io/docs/instrumenting/writing_clientlibs, "Process metrics".
_PROCESS_START: Final = "process_start_time_seconds"
CLOCK_SKEW_SECONDS: Final = 86_400.0  # between the clock of a service and ours
_KEPT: Final = (
    "vcs.repository.name",
    "vcs.ref.head.revision",
    "cicd.pipeline.run.id",
    "cicd.pipeline.result",
    "url.full",
)


def change_of(event: Event) -> ChangeEvent | None:
    """Return the change that a record tells of, None when it is of another source type."""
    kind = CHANGE_KINDS.get(event.source_type)
    if kind is None:
        return None
    return ChangeEvent(
        at=event.timestamp,
        attributes={name: event.attributes[name] for name in _KEPT if event.attributes.get(name)},
        event_id=event.event_id,
        kind=kind,
        service_name="",
        text=event.body[:TEXT_CHARS],
    )


def told_version(event: Event) -> str:
    """Return the version that a service says it runs, empty when the record tells none."""
    return event.attributes.get("service.version", "") if event.source_type is SourceType.FASTAPI_STATUS else ""


def told_start(event: Event) -> float:
    """Return when the process began that a service's metrics come from, Unix time; 0.0 when the record tells none."""
    if event.source_type is not SourceType.APP_CONTAINER_METRICS:
        return 0.0
    began = event.measures.get(_PROCESS_START, 0.0)
    latest = event.observed_timestamp.timestamp() + CLOCK_SKEW_SECONDS
    return began if 0.0 < began <= latest else 0.0  # a page may say anything, such as milliseconds


def version_change(service: str, at: Timestamp, before: str, after: str) -> ChangeEvent:
    """Return the change that a service's word for its version amounts to."""
    text = f"{service} runs version {after}, before {before}"
    return _own_word(ChangeKind.VERSION, service, at, {"service.version": after}, text)


def restart(service: str, at: Timestamp) -> ChangeEvent:
    """Return the change that a process amounts to which says that it began at a time."""
    return _own_word(ChangeKind.RESTART, service, at, {}, f"{service} was started")


def _own_word(kind: ChangeKind, service: str, at: Timestamp, attributes: dict[str, str], text: str) -> ChangeEvent:
    named = "\n".join((kind, service, *attributes.values(), str(at.timestamp())))
    event_id = sha256(named.encode()).hexdigest()[:32]
    return ChangeEvent(at=at, attributes=attributes, event_id=event_id, kind=kind, service_name=service, text=text)
