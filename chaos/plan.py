"""What a run is going to do, drawn once from a seed and kept on disk: a run that goes on later does the same."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from chaos.catalogue import Experiment
from chaos.errors import ChaosError

FILE: Final = "plan.json"
GAP_SECONDS: Final = (4.0, 14.0)  # uniform: no side can learn a rhythm, no scrape or batch is met always alike


@dataclass(frozen=True)
class Item:
    """One injection to come; the gap is waited for before it, on top of the quiet that is waited for anyway."""

    number: int
    experiment: str
    repeat: int
    gap_seconds: float


@dataclass(frozen=True)
class Lengths:
    """Seconds that shape a run."""

    learn: float = 420
    normal: float = 1800
    shortest_hold: float = 15
    longest_hold: float = 45
    settle: float = 90  # the longest wait for alerts of the last injection to end


QUICK: Final = Lengths(learn=60, normal=20, shortest_hold=10, longest_hold=25, settle=40)


@dataclass(frozen=True)
class Plan:
    """A run from its first to its last injection."""

    run: str
    mode: str
    seed: int
    repeats: int
    lengths: Lengths
    items: tuple[Item, ...]
    version: str
    folder: str  # of the experiments
    notes: tuple[str, ...] = field(default=())

    @property
    def planned(self) -> int:
        return len(self.items)

    def write(self, folder: Path) -> None:
        """Write plan.json with the keys the report reads beside our own."""
        keys = {
            "planned": self.planned,
            "longest_hold_seconds": self.lengths.longest_hold,
            "learned_seconds": self.lengths.learn,
        }
        (folder / FILE).write_text(json.dumps(asdict(self) | keys, indent=2))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what `write` wrote; raises ChaosError when the folder holds no plan."""
        try:
            stored: dict[str, Any] = json.loads((folder / FILE).read_text())
            return cls(
                items=tuple(Item(**item) for item in stored["items"]),
                lengths=Lengths(**stored["lengths"]),
                notes=tuple(stored["notes"]),
                **{name: stored[name] for name in ("run", "mode", "seed", "repeats", "version", "folder")},
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            text = f"{folder / FILE} is no plan of a run ({error}); begin a new run with ./run chaos"
            raise ChaosError(text) from error


def draw_items(experiments: Mapping[str, Experiment], repeats: int, seed: int) -> tuple[Item, ...]:
    """Return every experiment `repeats` times in random order with random gaps, the same for the same seed.

    Each block of as many items as there are experiments holds each once (a randomised block design): what drifts in
    the course of a run meets all alike, and a run that is cut short has about as many of each.
    """
    rng = random.Random(f"plan:{seed}")
    order: list[tuple[str, int]] = []
    for repeat in range(1, repeats + 1):
        block = [(name, repeat) for name in sorted(experiments)]
        rng.shuffle(block)
        order += block
    return _number(order, rng)


def _number(order: Sequence[tuple[str, int]], rng: random.Random) -> tuple[Item, ...]:
    return tuple(
        Item(number, name, repeat, round(rng.uniform(*GAP_SECONDS), 1))
        for number, (name, repeat) in enumerate(order, start=1)
    )
