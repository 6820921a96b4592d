"""Why a side missed a fault, as far as was measured."""

from __future__ import annotations

import pytest

from chaos.misses import leaves_trace, misses
from chaos.records import Evidence
from chaos.timings import reactions
from tests.chaos.runs import injection, span

SIGNALS = {"error_ratio": 0.2, "service_memory_bytes": 2.5e8, "abnormal_lines_15s": 2.0}


def seen(number: int = 1, **changes: object) -> Evidence:
    return Evidence(**{"number": number, "during": SIGNALS, "before": {"error_ratio": 0.001}, **changes})


def why(side: str, *records: Evidence) -> str:
    found = misses(reactions([injection()], []), {record.number: record for record in records})
    return next(miss.why for miss in found if miss.side == side)


@pytest.mark.parametrize(
    ("side", "record", "text"),
    [
        ("ml", seen(), "It left no trace: no metric left its normal range, and no line was abnormal."),
        ("ml", seen(lines=("x",)), "Lines were abnormal, but too few at a time."),
        ("ml", seen(traces=("error_ratio",)), "No line was abnormal. Outside the normal range: error ratio."),
        ("slo", seen(lines=("x",)), "Only the logs told of it: no metric of a service or the host left its normal"),
        ("rules", seen(traces=("missing_log_lines_ratio",)), "Only the logs told of it"),
        ("rules", seen(traces=("error_ratio",)), "error ratio left the normal range, but not far or not long enough"),
        ("slo", seen(number=2), "Nothing was measured during these injections."),
    ],
)
def test_the_reason(side: str, record: Evidence, text: str) -> None:
    assert why(side, record).startswith(text)


def test_each_side_has_the_signals_it_looks_at() -> None:
    found = {miss.side: miss.signals for miss in misses(reactions([injection()], []), {1: seen()})}
    assert found["ml"] == "abnormal_lines_15s none → 2"
    assert found["rules"] == found["slo"] == "service_memory_bytes none → 250 M; error_ratio 0.001 → 0.2"


def test_what_was_detected_is_no_miss() -> None:
    made = [injection(), injection(200, 230, number=2)]
    found = misses(reactions(made, [span(2, 9), span(2, 9, "rules"), span(3, 9, "slo")]), {})
    assert [(miss.side, miss.missed, miss.injections) for miss in found] == [
        ("ml", 1, 2),
        ("rules", 1, 2),
        ("slo", 1, 2),
    ]


def test_an_alert_that_came_too_late_is_said() -> None:
    found = misses(reactions([injection(0, 30)], [span(45, 50)]), {1: seen()})
    assert found[0].why.startswith("In 1 of 1 an alert came after the fault, too late to count. It left no trace")


def test_a_kind_leaves_a_trace_when_one_injection_did_or_nobody_looked() -> None:
    evidence = {1: seen(1), 2: seen(2, traces=("error_ratio",)), 3: seen(3, lines=("x",))}
    assert [leaves_trace(numbers, evidence) for numbers in ([1], [1, 2], [1, 3], [1, 4])] == [False, True, True, True]
