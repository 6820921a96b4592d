"""Alerts without a fault."""

from __future__ import annotations

from math import isnan

from chaos.quiet import distractions, named_alerts, normal_time, stray_rows
from chaos.records import NormalPeriod
from chaos.results import Outline, Results
from chaos.timings import reactions
from tests.chaos.runs import at, injection, span


def results(**changes: object) -> Results:
    values = {"plan": Outline(), "injections": (), "alerts": (), "normal": (), "evidence": {}}
    return Results(**{**values, **changes})


def test_an_alert_after_a_harmless_change_is_a_false_alarm_also_when_it_is_late() -> None:
    made = [injection(200 * n, 200 * n + 30, number=n + 1, kind="cron_burst", benign=True) for n in range(3)]
    rows = distractions(reactions(made, [span(2, 9), span(280, 290), span(290, 291), span(390, 470, "slo")]))
    ml, rules, slo = rows
    assert (ml.fired, ml.injections, ml.alerts) == (2, 3, "LogAnomaly payments ×3")
    assert (rules.fired, rules.injections, rules.alerts) == (0, 3, "")
    assert (slo.fired, slo.injections, slo.unknown) == (0, 2, 1)


def test_alerts_are_named_by_how_often_they_fired() -> None:
    spans = [span(1, service=""), span(2), span(3)]
    assert named_alerts(spans) == "LogAnomaly payments ×2, LogAnomaly"


def test_normal_time_gives_rates_with_intervals() -> None:
    watched = (NormalPeriod(start=at(0), end=at(1800)),)
    ml, rules, _ = normal_time(results(normal=watched, alerts=(span(5, 9, "rules"), span(2000, 2001))))
    assert (ml.alarms, ml.hours, round(ml.per_day.high)) == (0, 0.5, 177)
    assert (rules.alarms, rules.per_hour.value, rules.per_day.value) == (1, 2, 48)
    assert rules.alerts == "LogAnomaly payments"


def test_without_normal_time_nothing_is_claimed() -> None:
    assert normal_time(results()) == []


def test_a_stray_says_what_it_came_after() -> None:
    found = results(injections=(injection(0, 30),), alerts=(span(-50, -40), span(100, 110, "slo")))
    first, second = stray_rows(found)
    assert (first.after, isnan(first.seconds_after)) == ("", True)
    assert (second.side, second.after, second.seconds_after) == ("slo", "process_killed", 70)
