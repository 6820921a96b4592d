"""Figures of a side on the faults, and pairs of sides."""

from __future__ import annotations

from math import isnan

from chaos.comparison import ALL, fault_figures, pairs, side_figures
from chaos.records import AlertSpan, Injection
from chaos.timings import reactions
from tests.chaos.runs import injection, span


def three() -> tuple[list[Injection], list[AlertSpan]]:
    """Three faults of 30 s: ml tells after 2, 4, 6 s and names two; rules after 10 s, never, unknown; slo never."""
    made = [injection(200 * n, 200 * n + 30, number=n + 1, repeat=n + 1) for n in range(3)]
    spans = [span(2, 40), span(204, 250), span(406, None, service="orders"), span(10, 40, "rules")]
    return made, [*spans, span(390, 460, "rules")]


def test_figures_of_a_kind() -> None:
    ml, rules, slo = fault_figures(reactions(*three()), seed=7)
    assert (ml.detected, ml.injections, ml.mttd.value, ml.mttd.low, ml.mttd.high) == (3, 3, 4, 2, 6)
    assert (ml.mttr.value, ml.mttr.count, ml.unresolved) == (15, 2, 1)
    assert (ml.diagnosed, ml.diagnosis.value) == (2, 3)
    assert (rules.detected, rules.injections, rules.unknown) == (1, 2, 1)
    assert (rules.mttd.value, rules.mttd_with_misses.value) == (10, 20)
    assert (slo.detected, slo.detection.value, isnan(slo.mttd.value), slo.mttd_with_misses.value) == (0, 0, True, 30)


def test_a_pair_leaves_out_what_is_unknown_to_either_side() -> None:
    found = {(pair.kind, pair.against): pair for pair in pairs(reactions(*three()), seed=7)}
    rules, slo = found["process_killed", "rules"], found["process_killed", "slo"]
    assert (rules.injections, rules.difference.value, rules.sooner, rules.later) == (2, -17, 2, 0)
    assert (slo.injections, slo.difference.value, slo.neither) == (3, -26, 0)
    assert found[ALL, "slo"].difference.value == -26
    assert isnan(found[ALL, "slo"].difference.low)  # one kind tells nothing of other kinds


def test_both_missed_is_no_difference() -> None:
    (rules, *_) = pairs(reactions([injection()], []), seed=7)
    assert (rules.difference.value, rules.neither, rules.sooner, rules.later) == (0, 1, 0, 0)


def test_harmless_changes_are_not_among_the_faults() -> None:
    found = reactions([injection(benign=True)], [span(2, 9)])
    assert (fault_figures(found, 7), side_figures(found, 7)) == ([], [])


def test_all_faults_come_in_one_row_a_side() -> None:
    made, spans = three()
    spans = [alert for alert in spans if alert.ends_at is not None] + [span(406, 450)]
    made.append(injection(1000, 1030, number=9, kind="disk_full", target="host"))
    ml = side_figures(reactions(made, spans), seed=7)[0]
    assert (ml.kind, ml.side, ml.detected, ml.injections) == (ALL, "ml", 3, 4)
    assert (ml.mttd_with_misses.low, ml.mttd_with_misses.high) == (4, 30)
