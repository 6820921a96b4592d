"""The stream's second stage for one shard of sessions: close those that are over, judge them, tell the abnormal ones.

A function of state and rows, like joining.py; the shards share nothing. Their time is that of the records: sessions
are open for IDLE_SECONDS after their last line, so what is wrong with one is told that much later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import msgspec
import pandas as pd

from faultline.anomalies import SessionAnomaly, TemplateCount
from spark.models.joining import Records
from spark.models.recurrence import Recurrences
from spark.models.session_model import DETECTOR, UNKNOWN_COLUMN, Moved, SessionModel
from spark.models.session_state import OpenSessions, Piece, SessionPayload

MAX_RECORDS: Final = 20  # written of a shard and micro-batch, the highest scores; all are counted
SHOWN: Final = 10  # templates in a record
EXPLAINED: Final = 3  # and in its sentence
TEXT_CHARS: Final = 200
NEVER_SEEN: Final = "lines that sessions never had"
RARE: Final = "rare lines"


class ShardState(msgspec.Struct):
    """What is kept of a shard."""

    open: OpenSessions
    recurrences: Recurrences
    accepted: int = 0  # abnormal sessions that had come so long that they are normal by now


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE_STATE = msgspec.msgpack.Decoder(ShardState).decode
_DECODE_PAYLOAD = msgspec.msgpack.Decoder(SessionPayload).decode


class FoundSession(msgspec.Struct):
    """A session that is abnormal."""

    piece: Piece
    service_name: str
    score: float
    p_value: float
    moved: list[Moved]


def join_sessions(
    state: bytes | None, rows: pd.DataFrame, models: Mapping[str, SessionModel | None]
) -> tuple[bytes, Records]:
    """Return the new state of a shard and the rows to write, from its rows of kind `sessions` of one micro-batch.

    `models` finds a session model by its folder's name. The same state and rows, in any order, give the same result.
    """
    shard = ShardState(OpenSessions(), Recurrences()) if state is None else _DECODE_STATE(state)
    payloads = [_DECODE_PAYLOAD(record) for record in rows["record"]]
    found: list[FoundSession] = []
    model = models[max(payload.model for payload in payloads)]  # a batch is of one model
    if model is not None:
        if model.version != shard.open.version:
            shard.recurrences = Recurrences(model.version)
        shard.open.take(payloads, model.version)
        found = [session for session in judge(model, shard.open.close()) if not _is_accepted(shard, session)]
    written = sorted(found, key=lambda session: (-session.score, session.piece.last, session.piece.key))[:MAX_RECORDS]
    told = {id(session): _record(model, session) for session in written} if model is not None else {}
    return _ENCODE(shard), [*(_row(session, told.get(id(session))) for session in found), _state_row(shard)]


def judge(model: SessionModel, closed: Sequence[Piece]) -> Iterator[FoundSession]:
    """Yield the abnormal ones of closed sessions, in their order; each distinct shape is scored once."""
    keys = [tuple(sorted(piece.shape.items())) for piece in closed]
    distinct = sorted(set(keys))
    if not distinct:
        return
    scores = model.scores([dict(shape) for shape in distinct])
    p_values, abnormal = model.threshold.p_values(scores), model.is_abnormal(scores)
    places = {shape: place for place, shape in enumerate(distinct)}
    moved = {place: model.moved(dict(distinct[place])) for place in abnormal.nonzero()[0].tolist()}
    for piece, key in zip(closed, keys, strict=True):
        place = places[key]
        if place in moved:
            service = _service(model, piece, moved[place][0])
            yield FoundSession(piece, service, float(scores[place]), float(p_values[place]), moved[place])


def _service(model: SessionModel, piece: Piece, moved: Moved) -> str:
    """Return the service whose lines of the template that moved most are too many, or are missing."""
    lines = {
        service: sum(count for template, count in counts.items() if model.column(template) == moved.template)
        for service, counts in piece.counts.items()
    }
    if moved.value < moved.usual and moved.template in model.writers:
        return model.writers[moved.template]
    return min(lines, key=lambda service: (-lines[service], service))


def _is_accepted(shard: ShardState, session: FoundSession) -> bool:
    """Return whether sessions that differ in just these templates have come for so long that they are normal."""
    signs = sorted(f"{'+' if moved.value > moved.usual else '-'}{moved.template}" for moved in session.moved)
    difference = sha256(" ".join(signs).encode()).hexdigest()[:16]
    accepted = shard.recurrences.accepts(session.service_name, difference, session.piece.last)
    shard.accepted += accepted
    return accepted


def _record(model: SessionModel, session: FoundSession) -> SessionAnomaly:
    piece = session.piece
    moved = [
        TemplateCount(
            count=round(moved.value),
            deviation=round(moved.deviation, 3),
            template=_text(model, moved.template),
            usual=round(moved.usual),
        )
        for moved in session.moved[:SHOWN]
    ]
    return SessionAnomaly(
        detector=DETECTOR,
        event_id=sha256(f"{piece.key}\n{piece.last}\n".encode()).hexdigest()[:32],
        explanation=explain(piece.key, moved),
        first=datetime.fromtimestamp(piece.first, UTC),
        last=datetime.fromtimestamp(piece.last, UTC),
        model_version=model.version,
        moved=moved,
        p_value=session.p_value,
        score=session.score,
        service_name=session.service_name,
        services=sorted(filter(None, piece.counts)),
        session_key=piece.key,
    )


def _text(model: SessionModel, template: str) -> str:
    names = {UNKNOWN_COLUMN: NEVER_SEEN, "other": RARE}
    return names.get(template) or model.texts.get(template, template)


def explain(key: str, moved: Sequence[TemplateCount]) -> str:
    """Return one sentence of how a session differs from the nearest normal one.

    >>> explain("7f", [TemplateCount(count=0, deviation=-9.0, template="order placed", usual=1)])
    'session 7f: "order placed" 0 times instead of 1'
    """
    parts = (f'"{one.template[:TEXT_CHARS]}" {one.count} times instead of {one.usual}' for one in moved[:EXPLAINED])
    return f"session {key}: {'; '.join(parts)}"


def _row(session: FoundSession, record: SessionAnomaly | None) -> dict[str, Any]:
    return {
        "kind": DETECTOR,
        "event_id": record.event_id if record else None,
        "record": record.to_bytes() if record else None,
        "service_name": session.service_name,
        "score": session.score,
        "is_anomaly": True,
        "detector": DETECTOR,
    }


def _state_row(shard: ShardState) -> dict[str, Any]:
    return {
        "kind": "state",
        "sessions_open": shard.open.sessions,
        "sessions_late": shard.open.late,
        "sessions_early": shard.open.early,
        "sessions_accepted": shard.accepted,
    }
