"""What operators decided: verdicts on incidents, and what was learned from them. Topic `feedback`, append-only."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from faultline.errors import DecodeError
from faultline.records import Timestamp, encode

Who = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Note = Annotated[str, msgspec.Meta(max_length=4000)]
Name = Annotated[str, msgspec.Meta(max_length=256)]


class Verdict(StrEnum):
    """What an operator says of an incident (closed set)."""

    TRUE = "true"  # something was broken
    FALSE = "false"  # nothing was: a false alarm


class Pattern(msgspec.Struct, frozen=True, order=True):
    """What one kind of symptom of a service looks like whenever it comes."""

    kind: str
    pattern: str
    service_name: str


class CandidateTable(msgspec.Struct, frozen=True):
    """The candidates of an incident and the numbers that spoke for them: `x` is [names, features]."""

    features: list[str] = []
    names: list[str] = []
    x: list[list[float]] = []


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict, with what it is about: nothing else is needed to learn from it, now or in a year.

    A later one on the same incident takes the place of an earlier one, both are kept.
    """

    at: Timestamp
    candidates: CandidateTable
    cause: Name  # a candidate of the incident, or any service; empty: not said
    feedback_id: str
    incident_id: str
    note: Note
    patterns: list[Pattern]
    undoes: str  # feedback id of a verdict that this one takes back; empty: none
    verdict: Verdict
    who: Who

    def to_bytes(self) -> bytes:
        """Return the wire form, see records.py."""
        return encode(self)

    @classmethod
    def from_bytes(cls, value: bytes) -> Feedback:
        """Decode one record; raises DecodeError when it is not one."""
        try:
            return _DECODER.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DecodeError("not_json", str(error)) from error


_DECODER = msgspec.json.Decoder(Feedback)


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """A pattern that a verdict made normal, or keeps from ever becoming so."""

    pattern: Pattern
    normal: bool  # false: kept out of normal for good
    feedback_id: str
    incident_id: str
    who: str
    at: Timestamp


def effective(verdicts: list[Feedback]) -> dict[str, Feedback]:
    """Return the verdict that counts for each incident: the newest that was not taken back, by incident id.

    Of contradictory verdicts the newer one counts: who gave it knew more.
    """
    undone = {verdict.undoes for verdict in verdicts if verdict.undoes}
    found: dict[str, Feedback] = {}
    for verdict in sorted(verdicts, key=lambda verdict: (verdict.at, verdict.feedback_id)):
        if not verdict.undoes and verdict.feedback_id not in undone:
            found[verdict.incident_id] = verdict
    return found


class FalseAlarms(msgspec.Struct, frozen=True):
    """What verdicts call normal: whatever has only patterns that one false alarm had, and that no true one had all of.

    So one pattern can be a sign of a fault when it comes alone, and harmless together with what a false alarm had.
    """

    false: tuple[frozenset[Pattern], ...] = ()  # one set an incident
    true: tuple[frozenset[Pattern], ...] = ()

    @classmethod
    def of(cls, verdicts: list[Feedback]) -> FalseAlarms:
        """Return what the verdicts that count amount to."""
        counted = sorted(effective(verdicts).items())
        sets = [(v.verdict, frozenset(v.patterns)) for _, v in counted if v.patterns]
        false, true = (tuple(found for said, found in sets if said is which) for which in (Verdict.FALSE, Verdict.TRUE))
        return cls(false, true)

    def cover(self, patterns: frozenset[Pattern]) -> bool:
        """Return whether all that is abnormal about something was part of a false alarm, and not all of a true one."""
        return any(patterns <= known for known in self.false) and not any(patterns <= known for known in self.true)


def learn(verdicts: list[Feedback]) -> list[Learned]:
    """Return what verdicts teach, pattern by pattern: those of false alarms are normal, those of true ones never alone.

    A pattern that both had is listed as both, see FalseAlarms.
    """
    found: dict[tuple[Pattern, bool], Learned] = {}
    for incident_id, verdict in sorted(effective(verdicts).items(), key=lambda item: (item[1].at, item[0])):
        for pattern in verdict.patterns:
            normal = verdict.verdict is Verdict.FALSE
            found[pattern, normal] = Learned(
                pattern=pattern,
                normal=normal,
                feedback_id=verdict.feedback_id,
                incident_id=incident_id,
                who=verdict.who,
                at=verdict.at,
            )
    return sorted(found.values(), key=lambda learned: (learned.pattern, learned.normal))
