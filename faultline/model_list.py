"""Versions of the model as aligned text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from faultline.registry import ListedVersion

HEADS = ("VERSION", "CONTENT", "ALIAS", "TRAINED", "LINES", "TEMPLATES", "FALSE ALERTS A DAY, AT MOST")


def table(versions: Sequence[ListedVersion]) -> str:
    """Return a line per version: number, content, aliases, time of training, what it saw, and the bound."""
    cells = [HEADS, *map(_row, versions)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADS))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)


def _row(listed: ListedVersion) -> tuple[str, ...]:
    metrics = listed.training.metrics
    bound = metrics.get("false_alerts_per_day_at_most")
    return (
        str(listed.version.number),
        listed.version.content,
        ", ".join(listed.aliases),
        _time(listed.training.tags.get("trained_at", "")),
        *("" if name not in metrics else f"{metrics[name]:.0f}" for name in ("lines", "templates")),
        "" if bound is None else f"{bound:.3g}",
    )


def _time(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M}" if text else ""
