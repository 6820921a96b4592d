"""One sentence of what is wrong with a service, from what its lines say and its numbers do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from faultline.anomalies import Deviation, EvidenceLine

SHOWN: Final = 3  # features in the sentence; the record has more
QUOTED_CHARS: Final = 200


def explain(service: str, lines: Sequence[EvidenceLine], moved: Sequence[Deviation]) -> str:
    """Return the sentence; `lines` and `moved` are in order of weight, either may be empty."""
    parts = (
        [f'says "{lines[0].body[:QUOTED_CHARS]}", nearest normal line: "{lines[0].nearest_template}"'] if lines else []
    )
    if moved:
        parts.append("; ".join(describe_deviation(deviation) for deviation in moved[:SHOWN]))
    return f"{service}: {'; '.join(parts)}"


def describe_deviation(moved: Deviation) -> str:
    """Return a moved feature as a person says it.

    >>> describe_deviation(Deviation(feature="lines/5s", value=0.0, usual=25.0, deviation=-13.0))
    'lines in 5s 0 instead of 25'
    """
    if moved.feature.startswith('lines "'):  # the text of a template, which may hold anything
        return f"{moved.feature} {moved.value:.4g} instead of {moved.usual:.4g}"
    kind, _, rest = moved.feature.partition(":")
    name = {
        "silence": f"seconds since the last line of {rest}",
        "p50": f"median of {rest}",
        "p95": f"95th percentile of {rest}",
        "change": f"change of {rest}",
        "rate": f"{rest} per second",
    }.get(kind, moved.feature.replace("/", " in "))
    return f"{name} {moved.value:.4g} instead of {moved.usual:.4g}"
