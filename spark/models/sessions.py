"""A session as numbers: how often each template came, which step followed which, and what normal time never had."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Self

import numpy as np

from faultline.errors import ArtifactError, TrainingDataError
from spark.models.base import Matrix

START: Final = "^"
END: Final = "$"
MAX_TEMPLATES: Final = 256  # columns of their own; rarer templates share one
MAX_STEPS: Final = 256
MAX_KNOWN: Final = 65_536  # templates and steps remembered at all; bounds state whatever normal time held

Session = Sequence[str]  # template ids in the order of event time
Step = tuple[str, str]


@dataclass(frozen=True)
class SessionVocabulary:
    """The templates and steps (one template directly after another) of normal sessions, most frequent first.

    Count vectors after Xu et al. 2009 (doi 10.1145/1629575.1629587); the steps, with start and end, are what a Markov
    chain of first order knows of a sequence. Width is bounded: at most MAX_TEMPLATES + MAX_STEPS + 5 columns.
    """

    templates: tuple[str, ...]  # known, by how many sessions had them; the first `width_templates` have a column
    steps: tuple[Step, ...]
    width_templates: int
    width_steps: int

    @classmethod
    def fit(
        cls, sessions: Iterable[Session], *, max_templates: int = MAX_TEMPLATES, max_steps: int = MAX_STEPS
    ) -> Self:
        """Learn from normal sessions; raises TrainingDataError when there is none with an event."""
        templates: Counter[str] = Counter()
        steps: Counter[Step] = Counter()
        for session in sessions:
            if session:
                templates.update(set(session))
                steps.update(set(_steps(session)))
        if not templates:
            raise TrainingDataError("no session to learn from, expected at least one of normal time with an event")
        known, walked = _most_frequent(templates), _most_frequent(steps)
        return cls(known, walked, min(max_templates, len(known)), min(max_steps, len(walked)))

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the features, in the order of `matrix`'s columns."""
        return (
            *(f"count:{template}" for template in self.templates[: self.width_templates]),
            "count:other",
            "count:unknown",
            *(f"step:{before}>{after}" for before, after in self.steps[: self.width_steps]),
            "step:other",
            "step:unseen",
            "length",
        )

    @property
    def counts(self) -> slice:
        """The columns of template counts, the count vector proper: they come first."""
        return slice(0, self.width_templates + 2)

    def matrix(self, sessions: Sequence[Session]) -> Matrix:
        """Return one row of counts a session: float32 [n, d], all 0 for a session without events.

        "other" is what normal time had, but too rarely for a column; "unknown" and "unseen" is what it never had.
        """
        template_column = _columns(self.templates, self.width_templates, at=0)
        step_column = _columns(self.steps, self.width_steps, at=self.width_templates + 2)
        unknown, unseen = self.width_templates + 1, self.width_templates + self.width_steps + 3
        x = np.zeros((len(sessions), unseen + 2), np.float32)
        for row, session in zip(x, sessions, strict=True):
            for template, count in Counter(session).items():
                row[template_column.get(template, unknown)] += count
            for step, count in Counter(_steps(session)).items():
                row[step_column.get(step, unseen)] += count
            row[-1] = len(session)
        return x

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "templates": list(self.templates),
            "steps": [list(step) for step in self.steps],
            "width_templates": self.width_templates,
            "width_steps": self.width_steps,
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        """Read what `to_json` wrote; raises ArtifactError when it is something else."""
        try:
            steps = tuple((str(before), str(after)) for before, after in state["steps"])
            widths = int(state["width_templates"]), int(state["width_steps"])
            return cls(tuple(map(str, state["templates"])), steps, *widths)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"session vocabulary: {error!r}, expected what to_json wrote; train again") from error


def _steps(session: Session) -> Iterable[Step]:
    return pairwise((START, *session, END)) if session else ()


def _most_frequent(counts: Counter[Any]) -> tuple[Any, ...]:
    """Return the keys by count, then by name: any order of the sessions gives the same columns."""
    return tuple(key for key, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_KNOWN])


def _columns(known: Sequence[Any], width: int, at: int) -> dict[Any, int]:
    """Return the column of each known thing: its own, or the one after them that the rest shares."""
    return {thing: at + min(place, width) for place, thing in enumerate(known)}
