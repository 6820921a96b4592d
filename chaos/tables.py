"""The figures of a run as tables: Parquet and CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import pandas as pd
from msgspec import to_builtins

from chaos.quiet import named_alerts
from chaos.records import Injection
from chaos.results import Results
from chaos.timings import Reaction, attribute, is_counted
from faultline.statistics import Estimate


@dataclass(frozen=True)
class AlertRow:
    """One alert as Alertmanager held it, and the injection it belongs to: 0 for none."""

    injection: int
    side: str
    name: str
    severity: str
    service: str
    starts_at: datetime
    ends_at: datetime | None


def reaction_table(reactions: Sequence[Reaction]) -> pd.DataFrame:
    """Return one row an injection and side: what every figure is made of; seconds."""
    columns = ("side", "known", "detected", "detection_seconds", "diagnosis_seconds", "recovery_seconds", "unresolved")
    rows = [
        to_builtins(reaction.injection, builtin_types=(datetime,))
        | {"firing_before": ", ".join(reaction.injection.firing_before)}
        | {name: getattr(reaction, name) for name in columns}
        | {"alerts": named_alerts(reaction.alerts)}
        for reaction in reactions
    ]
    table = pd.DataFrame(rows, columns=[*Injection.__struct_fields__, *columns, "alerts"])
    return table.astype(dict.fromkeys((name for name in columns if name.endswith("seconds")), "float64"))


def alert_rows(results: Results) -> list[AlertRow]:
    """Return every alert of the run, also those that do not count."""
    owned = attribute(results.injections, filter(is_counted, results.alerts))
    owner = {id(span): number for number, spans in owned.items() for span in spans}
    return [
        AlertRow(
            owner.get(id(span), 0), span.side, span.name, span.severity, span.service, span.starts_at, span.ends_at
        )
        for span in results.alerts
    ]


def frame(kind: type[Any], rows: Sequence[Any]) -> pd.DataFrame:
    """Return rows of a dataclass as a table; a figure becomes three columns: value, and ends of the interval."""
    columns = [column for field in fields(kind) for column in _columns(field.name, field.type == "Estimate")]
    return pd.DataFrame([_cells(row) for row in rows], columns=columns)


def _columns(name: str, is_estimate: bool) -> list[str]:
    return [name, f"{name}_low", f"{name}_high"] if is_estimate else [name]


def _cells(row: Any) -> list[Any]:
    values = [getattr(row, field.name) for field in fields(row)]
    return [cell for value in values for cell in _cell(value)]


def _cell(value: Any) -> tuple[Any, ...]:
    return (value.value, value.low, value.high) if isinstance(value, Estimate) else (value,)
