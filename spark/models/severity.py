"""A prior on new lines: what a service itself calls an error is stronger evidence than another new line.

Normal time drifts in what is informative: each release brings new lines, nearly all of them below ERROR. Doubling the
distance is a round number, the same for all logs; docs/evaluation.md has what it does on public sets.
"""

from __future__ import annotations

from typing import Final

from faultline.records import Severity
from spark.models.features import status_token

SEVERE_WEIGHT: Final = 2.0
_SEVERE: Final = frozenset(
    {Severity.ERROR.value, Severity.FATAL.value, *(status_token(str(code)) for code in range(500, 600))}
)


def severity_weight(template: str) -> float:
    """Return by what to multiply a template's distance: SEVERE_WEIGHT when it begins with an error, else 1.

    >>> severity_weight("ERROR no stock"), severity_weight("status=Bad-Gateway GET /cart"), severity_weight("INFO x")
    (2.0, 2.0, 1.0)
    """
    return SEVERE_WEIGHT if template.partition(" ")[0] in _SEVERE else 1.0
