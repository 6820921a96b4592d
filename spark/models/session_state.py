"""Open sessions: lines that share a key, held until the key has been silent for long enough.

Train and stream cut sessions with this one module, so theirs are the same. A session is a set of counts, not a list of
lines: the order within a second is unknown, and counts are what the model looks at. A key that is never silent is never
judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from spark.models.windows import DELAY_SECONDS, MAX_GAP_SECONDS, newest_second

IDLE_SECONDS: Final = 30  # a session is over when its key has been silent for longer: event time
MAX_OPEN: Final = 10_000  # sessions of a shard; the longest idle ones beyond are closed early
MAX_KINDS: Final = 200  # pairs of service and template in a session; lines beyond count as FURTHER
FURTHER: Final = "further"  # stands for a template

Counts = dict[str, dict[str, int]]  # service -> template -> lines


class Piece(msgspec.Struct, array_like=True):
    """Lines of one key, no two neighbours further apart than IDLE_SECONDS."""

    key: str
    first: int  # seconds
    last: int
    counts: Counts
    whole: bool = True  # False: what came before may be missing, so that it cannot be judged

    @property
    def shape(self) -> dict[str, int]:
        """Lines of each template, whichever service wrote them."""
        totals: dict[str, int] = defaultdict(int)
        for lines in self.counts.values():
            for template, count in lines.items():
                totals[template] += count
        return dict(totals)


class SessionPayload(msgspec.Struct, array_like=True):
    """What the first stage sends a shard of one Arrow batch, also when it has no line for it: time moves on."""

    model: str  # name of the folder of the model that told the templates
    marks: dict[int, int]  # the newest second of each partition
    pieces: list[Piece]


def cut_pieces(
    keys: Sequence[str], seconds: Sequence[int], services: Sequence[str], templates: Sequence[str]
) -> list[Piece]:
    """Return the pieces of lines, all [n]; lines without a key are left out; order does not matter."""
    lines: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for key, second, service, template in zip(keys, seconds, services, templates, strict=True):
        if key:
            lines[key].append((second, service, template))
    return [piece for key, found in lines.items() for piece in _cut(key, sorted(found))]


def _cut(key: str, lines: Sequence[tuple[int, str, str]]) -> list[Piece]:
    pieces: list[Piece] = []
    for second, service, template in lines:
        if not pieces or second - pieces[-1].last > IDLE_SECONDS:
            pieces.append(Piece(key, second, second, {}))
        pieces[-1].last = second
        counts = pieces[-1].counts.setdefault(service, {})
        counts[template] = counts.get(template, 0) + 1
    return pieces


def join_pieces(pieces: Iterable[Piece]) -> list[Piece]:
    """Return the pieces of one key, joined where no more than IDLE_SECONDS lie between them, in order of time.

    However the lines were cut into pieces before, the result is the same. The given pieces are used up.
    """
    joined: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: (piece.first, piece.last)):
        if joined and piece.first - joined[-1].last <= IDLE_SECONDS:
            _add(joined[-1], piece)
        else:
            joined.append(piece)
    return joined


def _add(piece: Piece, other: Piece) -> None:
    piece.last = max(piece.last, other.last)
    piece.whole = piece.whole and other.whole
    for service, lines in other.counts.items():
        mine = piece.counts.setdefault(service, {})
        for template, count in lines.items():
            mine[template] = mine.get(template, 0) + count


class OpenSessions(msgspec.Struct):
    """The sessions of one shard that are not over, bounded by MAX_OPEN and MAX_KINDS.

    Memory of closed keys is not kept. A line behind the watermark that opens a session may be the rest of one that is
    closed: such a session is counted as late and not judged. Neither is one that may have begun before the state did.
    """

    open: dict[str, list[Piece]] = {}
    newest: int = 0
    closed: int = 0  # the watermark
    begin: int = 0
    version: str = ""  # of the model that told the templates
    late: int = 0
    early: int = 0

    def take(self, payloads: Sequence[SessionPayload], version: str) -> None:
        """Take in what one micro-batch says, in any order; of another model's templates nothing is kept."""
        newest = newest_second(self.newest, (payload.marks for payload in payloads))
        pieces = [piece for payload in payloads for piece in payload.pieces]
        if version != self.version or newest - self.newest > MAX_GAP_SECONDS:
            self.open, self.version = {}, version
            self.begin = min((piece.first for piece in pieces), default=newest)
        self.newest = newest
        arrived: dict[str, list[Piece]] = defaultdict(list)
        for piece in pieces:
            arrived[piece.key].append(piece)
        for key, new in arrived.items():
            self._extend(key, new)

    def _extend(self, key: str, arrived: Sequence[Piece]) -> None:
        known = self.open.get(key, [])
        for piece in join_pieces(arrived):
            # One that an open session takes up is no session of its own, however late it is.
            taken = any(_near(piece, session) for session in known)
            piece.whole = taken or piece.last > self.closed
            self.late += not piece.whole
            known = join_pieces([*known, piece])
        self.open[key] = [_bounded(piece) for piece in known]

    def close(self) -> list[Piece]:
        """Move the watermark on and return the sessions that are over and can be judged, in order of time."""
        self.closed = max(self.closed, self.newest - DELAY_SECONDS)
        over = {id(piece): piece for piece in self._pieces() if piece.last + IDLE_SECONDS < self.closed}
        left = sorted((p for p in self._pieces() if id(p) not in over), key=lambda p: (p.last, p.key, p.first))
        early = left[: max(0, len(left) - MAX_OPEN)]
        self.early += len(early)
        over |= {id(piece): piece for piece in early}
        kept = {key: [piece for piece in pieces if id(piece) not in over] for key, pieces in self.open.items()}
        self.open = {key: pieces for key, pieces in kept.items() if pieces}
        whole = (piece for piece in over.values() if piece.whole and piece.first > self.begin + IDLE_SECONDS)
        return sorted(whole, key=lambda piece: (piece.last, piece.key, piece.first))

    def _pieces(self) -> Iterable[Piece]:
        return (piece for pieces in self.open.values() for piece in pieces)

    @property
    def sessions(self) -> int:
        """How many are open."""
        return sum(map(len, self.open.values()))


def _near(piece: Piece, session: Piece) -> bool:
    return piece.first - session.last <= IDLE_SECONDS and session.first - piece.last <= IDLE_SECONDS


def _bounded(piece: Piece) -> Piece:
    """Fold the kinds of lines beyond MAX_KINDS into one, that of no service."""
    kinds = sorted((service, template) for service, lines in piece.counts.items() for template in lines)
    if len(kinds) > MAX_KINDS:
        kept = [kind for kind in kinds if kind != ("", FURTHER)][: MAX_KINDS - 1]
        further = sum(sum(lines.values()) for lines in piece.counts.values())
        counts: Counts = {}
        for service, template in kept:
            count = piece.counts[service][template]
            counts.setdefault(service, {})[template] = count
            further -= count
        piece.counts = counts | {"": {FURTHER: further}}
    return piece


def shape_text(shape: Mapping[str, int]) -> str:
    """Return a shape as one word: equal shapes give equal words.

    >>> shape_text({"b": 1, "a": 2})
    'a*2 b*1'
    """
    return " ".join(f"{template}*{count}" for template, count in sorted(shape.items()))


def read_shape(text: str) -> dict[str, int]:
    """Return what `shape_text` wrote down.

    >>> read_shape("a*2 b*1")
    {'a': 2, 'b': 1}
    """
    pairs = (word.rpartition("*") for word in text.split(" "))
    return {template: int(count) for template, _, count in pairs}
