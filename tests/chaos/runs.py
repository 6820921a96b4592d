"""Injections, alerts and whole runs as the injector would have written them."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chaos.records import AlertSpan, Evidence, Injection, NormalPeriod, append_record

BEGUN = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOSTILE = "=HYPERLINK(1) <script>alert(1)</script> $x^2$ \u202e {{ 7 * 7 }}"
FAULTS = {
    "process_killed": "payments",
    "process_paused": "orders",
    "cpu_starvation": "host",
    "memory_leak": "inventory",
    "slow_dependency": "payments",
    "dependency_refused": "payments",
    "database_locked": "inventory",
    "disk_full": "host",
    "bad_deployment": "orders",
    "bad_configuration": "orders",
    "expired_credentials": "payments",
    "traffic_overload": "storefront",
    "corrupted_payloads": "orders",
    "silent_business_failure": "orders",
    "logging_stopped": "payments",
    "log_directory_unwritable": "inventory",
}
CHANGES = ("healthy_deployment", "log_format_change", "daily_traffic", "new_log_line", "cron_burst", "rolling_restart")


def at(seconds: float) -> datetime:
    return BEGUN + timedelta(seconds=seconds)


def injection(start: float = 0, end: float = 30, **changes: object) -> Injection:
    """Payments is killed at `start` until `end`, seconds."""
    values = {
        "number": 1,
        "experiment": "process_killed",
        "kind": "process_killed",
        "target": "payments",
        "benign": False,
        "repeat": 1,
        "start": at(start),
        "end": at(end),
    }
    return Injection(**{**values, **changes})


def span(start: float, end: float | None = None, side: str = "ml", **changes: object) -> AlertSpan:
    """A page about payments from `start` to `end`, seconds; it fires on without an end."""
    values = {"name": "LogAnomaly", "severity": "page", "service": "payments"}
    ends_at = None if end is None else at(end)
    return AlertSpan(**{**values, "side": side, "starts_at": at(start), "ends_at": ends_at, **changes})


def write_run(folder: Path, repeats: int = 5, kinds: int = 16, hours: float = 0.5, seed: int = 7) -> None:
    """Write a run: half an hour of normal time, then every fault and change; drawn, and the same for a seed."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    plan = [(kind, target, False) for kind, target in list(FAULTS.items())[:kinds]]
    plan += [(kind, "orders", True) for kind in CHANGES]
    order = [(*entry, repeat) for repeat in range(1, repeats + 1) for entry in rng.sample(plan, len(plan))]
    _write_outline(folder, repeats, [kind for kind, *_ in order])
    append_record(folder / "normal.jsonl", NormalPeriod(start=at(0), end=at(3600 * hours)))
    append_record(folder / "alerts.jsonl", span(500, 520, "rules", name="ServiceCpuHigh"))
    clock = 3600 * hours + 60
    for number, (kind, target, benign, repeat) in enumerate(order, start=1):
        found = injection(
            clock,
            clock + rng.uniform(30, 45),
            **{"number": number, "experiment": kind, "kind": kind, "target": target},
            **{"benign": benign, "repeat": repeat},
        )
        append_record(folder / "injections.jsonl", found)
        append_record(folder / "evidence.jsonl", _evidence(found))
        for one in _spans(found, clock, rng):
            append_record(folder / "alerts.jsonl", one)
        clock = (found.end - BEGUN).total_seconds() + rng.uniform(40, 70)


def _write_outline(folder: Path, repeats: int, names: list[str]) -> None:
    items = [{"number": number, "experiment": name} for number, name in enumerate(names, start=1)]
    outline = {"run": "20260301T120000Z", "seed": 7, "mode": "full", "repeats": repeats, "version": "abc1234"}
    lengths = {"longest_hold_seconds": 45, "learned_seconds": 420, "planned": len(names)}
    (folder / "plan.json").write_text(json.dumps({**outline, **lengths, "items": items, "notes": [HOSTILE]}))


def _evidence(found: Injection) -> Evidence:
    quiet = found.kind == "log_directory_unwritable" or found.benign
    during = {"error_ratio": 0.3, "p95_seconds": 1.2, "abnormal_lines_15s": 40.0, "service_memory_bytes": 2.4e8}
    return Evidence(
        number=found.number,
        during={"error_ratio": 0.0, "abnormal_lines_15s": 0.0} if quiet else during,
        before={"error_ratio": 0.0, "p95_seconds": 0.08, "service_memory_bytes": 2.1e8},
        traces=() if quiet else ("error_ratio", "p95_seconds"),
        lines=() if quiet else (HOSTILE, "payments: ERROR card gateway refused"),
    )


def _spans(found: Injection, clock: float, rng: random.Random) -> list[AlertSpan]:
    end = (found.end - BEGUN).total_seconds()
    chances = {"ml": 0.97, "rules": 0.7, "slo": 0.6} if not found.benign else {"ml": 0.05, "rules": 0.2, "slo": 0.1}
    delays = {"ml": (1.5, 5), "rules": (4, 20), "slo": (8, 30)}
    names = {"ml": "LogAnomaly", "rules": "ServiceErrorsHigh", "slo": "ErrorBudgetBurnFast"}
    dark = found.kind in ("silent_business_failure", "logging_stopped")
    spans = []
    for side, chance in chances.items():
        gone = found.kind == "log_directory_unwritable" or (dark and side != "ml")
        if not gone and rng.random() < chance:
            start, stop = clock + rng.uniform(*delays[side]), end + rng.uniform(8, 35)
            spans.append(span(start, stop, side, name=names[side], service=found.target))
            if side == "ml":
                spans.append(span(start + 3, stop - 4, side, name="BehaviourAnomaly", service="orders"))
    return spans
