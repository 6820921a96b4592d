"""A prior on new lines: what a service calls an error weighs double, what reads like routine nothing.

Normal time drifts in what is informative: each release brings new lines, nearly all of them below ERROR. Doubling the
distance is a round number, the same for all logs; docs/evaluation.md has what it does on public sets. A new line below
WARN that reads more like a service at work than like trouble (see tone.py) is no evidence that something broke.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from faultline.records import Severity
from spark.models.features import status_token

SEVERE_WEIGHT: Final = 2.0
ROUTINE_WEIGHT: Final = 0.0
_SEVERE: Final = frozenset(
    {Severity.ERROR.value, Severity.FATAL.value, *(status_token(str(code)) for code in range(500, 600))}
)
# What a service itself marks as out of the ordinary is never routine, however it is worded.
_MARKED: Final = frozenset({Severity.WARN.value, *(status_token(str(code)) for code in range(400, 500))})


def severity_weights(templates: Sequence[str], leans: Sequence[float]) -> list[float]:
    """Return severity_weight of each template with its lean, [n]."""
    return [severity_weight(template, lean) for template, lean in zip(templates, leans, strict=True)]


def severity_weight(template: str, lean: float = 1.0) -> float:
    """Return by what to multiply a new template's distance: SEVERE_WEIGHT, ROUTINE_WEIGHT, else 1.

    `lean` is that of tone.py; without one nothing is taken for routine.

    >>> severity_weight("ERROR no stock"), severity_weight("status=Bad-Gateway GET /cart"), severity_weight("INFO x")
    (2.0, 2.0, 1.0)
    >>> severity_weight("INFO 7 rows exported", -0.1), severity_weight("WARN 7 rows exported", -0.1)
    (0.0, 1.0)
    """
    level = template.partition(" ")[0]
    if level in _SEVERE:
        return SEVERE_WEIGHT
    return ROUTINE_WEIGHT if lean < 0 and level not in _MARKED else 1.0
