"""MTTD, MTTR, time to diagnosis, and whose an alert is: by small examples and by properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.records import SIDES, AlertSpan, Injection, NormalPeriod
from chaos.timings import AFTERMATH, GRACE, Reaction, attribute, false_alarms, hours_of, reactions, strays, stretches
from tests.chaos.runs import at, injection, span


def ml(injections: list[Injection], spans: list[AlertSpan]) -> list[Reaction]:
    return [reaction for reaction in reactions(injections, spans) if reaction.side == "ml"]


def test_the_first_alert_counts_and_the_last_to_go() -> None:
    (found,) = ml([injection(0, 30)], [span(4, 60), span(2.5, 41, name="BehaviourAnomaly", service="orders")])
    assert (found.detected, found.detection_seconds) == (True, 2.5)
    assert (found.recovery_seconds, found.unresolved) == (30, False)
    assert [alert.name for alert in found.alerts] == ["BehaviourAnomaly", "LogAnomaly"]


def test_an_alert_that_names_a_caller_is_a_detection_and_no_diagnosis() -> None:
    (found,) = ml([injection()], [span(2, 40, service="orders")])
    assert (found.detection_seconds, found.diagnosis_seconds) == (2, None)
    (found,) = ml([injection()], [span(2, 40, service="orders"), span(9, 40)])
    assert (found.detection_seconds, found.diagnosis_seconds) == (2, 9)


@pytest.mark.parametrize(("service", "diagnosis"), [("", 3), ("host", 3), ("orders", None)])
def test_the_host_is_named_by_an_alert_of_no_service(service: str, diagnosis: float | None) -> None:
    (found,) = ml([injection(target="host")], [span(3, 40, service=service)])
    assert found.diagnosis_seconds == diagnosis


def test_no_alert_is_a_miss_as_long_as_the_fault() -> None:
    (found,) = ml([injection(0, 30)], [])
    assert (found.known, found.detected, found.detection_seconds, found.recovery_seconds) == (True, False, None, None)
    assert found.censored_seconds == 30


def test_an_alert_that_fires_on_has_no_recovery() -> None:
    (found,) = ml([injection()], [span(2), span(3, 40, service="orders")])
    assert (found.detected, found.unresolved, found.recovery_seconds) == (True, True, None)


def test_an_alert_that_is_gone_before_the_fault_is_resolved_at_once() -> None:
    (found,) = ml([injection(0, 30)], [span(2, 20)])
    assert found.recovery_seconds == 0


@pytest.mark.parametrize(
    ("starts", "detected", "owned"),
    [(0, True, 1), (40, True, 1), (40.1, False, 1), (90, False, 1), (90.1, False, 0), (-0.1, False, 0)],
)
def test_the_borders_of_the_windows(starts: float, detected: bool, owned: int) -> None:
    assert (GRACE.total_seconds(), AFTERMATH.total_seconds()) == (10, 60)
    (found,) = ml([injection(0, 30)], [span(starts, starts + 0.05)])
    assert (found.detected, len(found.alerts)) == (detected, owned)


def test_an_alert_that_comes_back_after_the_fault_prolongs_the_recovery() -> None:
    (found,) = ml([injection(0, 30)], [span(2, 35), span(50, 70)])
    assert (found.detection_seconds, found.recovery_seconds) == (2, 40)


@pytest.mark.parametrize("before", [span(-20, 5), span(-20, None)], ids=["until later", "for ever"])
def test_a_side_that_fires_before_is_unknown(before: AlertSpan) -> None:
    (found,) = ml([injection()], [before])
    assert (found.known, found.detected, found.fired) == (False, False, False)


def test_the_look_of_the_injector_counts_too() -> None:
    (found,) = ml([injection(firing_before=("ml",))], [])
    assert found.known is False
    assert [r.side for r in reactions([injection(firing_before=("ml",))], []) if r.known] == ["rules", "slo"]


def test_a_new_alert_tells_even_when_an_old_one_still_fires() -> None:
    (found,) = ml([injection(0, 30)], [span(-20, 50, service="orders"), span(4, 33)])
    assert (found.known, found.detection_seconds, found.recovery_seconds) == (True, 4, 3)


def test_a_late_alert_beside_an_old_one_stays_unknown_for_a_fault_and_counts_after_a_change() -> None:
    spans = [span(-20, 50, service="orders"), span(45, 50)]
    assert ml([injection(0, 30)], spans)[0].known is False
    assert ml([injection(0, 30, benign=True)], spans)[0].fired is True


def test_an_alert_that_ended_before_is_nobodys() -> None:
    (found,) = ml([injection()], [span(-20, -1)])
    assert (found.known, found.detected) == (True, False)


@pytest.mark.parametrize("ignored", [span(2, 9, severity="info"), span(2, 9, "pipeline")], ids=["info", "pipeline"])
def test_what_nobody_is_told_of_does_not_count(ignored: AlertSpan) -> None:
    assert [found.fired for found in reactions([injection()], [ignored])] == [False, False, False]


def test_sides_are_told_apart() -> None:
    found = {r.side: r.detection_seconds for r in reactions([injection()], [span(3, 40, "rules"), span(9, 40, "slo")])}
    assert found == {"ml": None, "rules": 3, "slo": 9}


def test_the_next_injection_takes_over_at_its_start() -> None:
    first, second = injection(0, 30), injection(35, 60, number=2)
    owned = attribute([first, second], [span(34, 36), span(36, 70), span(100, 101)])
    assert {number: len(spans) for number, spans in owned.items()} == {1: 1, 2: 2}


def test_an_injection_that_goes_on_is_before_one_that_is_over() -> None:
    long, short = injection(0, 300), injection(100, 110, number=2)
    owned = attribute([long, short], [span(105, 106), span(150, 151)])
    assert {number: [alert.starts_at for alert in spans] for number, spans in owned.items()} == {
        2: [at(105)],
        1: [at(150)],
    }


def test_false_alarms_are_those_that_start_in_normal_time() -> None:
    periods = [NormalPeriod(start=at(0), end=at(100))]
    spans = [span(-5, 50), span(0, 9), span(100, 120), span(101, 102), span(50, 51, "rules"), span(7, severity="info")]
    assert [alarm.starts_at for alarm in false_alarms(periods, spans, "ml")] == [at(0), at(100)]


def test_pieces_of_normal_time_are_one_stretch() -> None:
    pieces = [NormalPeriod(start=at(60.1), end=at(120)), NormalPeriod(start=at(0), end=at(60))]
    pieces += [NormalPeriod(start=at(500), end=at(3980)), NormalPeriod(start=at(510), end=at(520))]
    joined = stretches(pieces)
    assert [(found.start, found.end) for found in joined] == [(at(0), at(120)), (at(500), at(3980))]
    assert hours_of(joined) == 1
    assert len(false_alarms(joined, [span(60.05, 70)], "ml")) == 1


def test_strays_belong_neither_to_an_injection_nor_to_normal_time() -> None:
    periods = [NormalPeriod(start=at(500), end=at(600))]
    spans = [span(2, 3), span(200, 201), span(550, 551), span(300, severity="info")]
    assert [found.starts_at for found in strays([injection()], periods, spans)] == [at(200)]


moments = st.integers(0, 600)
spans_after = st.builds(
    lambda start, length, side, service: span(start, start + length, side, service=service),
    moments,
    st.integers(1, 100),
    st.sampled_from([*SIDES, "pipeline"]),
    st.sampled_from(["payments", "orders", ""]),
)
injections = st.lists(st.tuples(moments, st.integers(1, 100)), min_size=1, max_size=5).map(
    lambda times: [injection(start, start + length, number=n) for n, (start, length) in enumerate(times, start=1)]
)


@given(injections, st.lists(spans_after, max_size=12), st.randoms())
def test_the_order_of_the_alerts_does_not_matter(made: list[Injection], spans: list[AlertSpan], rng) -> None:
    shuffled = list(spans)
    rng.shuffle(shuffled)
    key = [(r.known, r.detection_seconds, r.diagnosis_seconds, r.recovery_seconds) for r in reactions(made, spans)]
    again = [(r.known, r.detection_seconds, r.diagnosis_seconds, r.recovery_seconds) for r in reactions(made, shuffled)]
    assert key == again


@given(injections, st.lists(spans_after, max_size=12))
def test_times_are_in_order(made: list[Injection], spans: list[AlertSpan]) -> None:
    for found in reactions(made, spans):
        assert found.detection_seconds is None or found.detection_seconds >= 0
        assert found.diagnosis_seconds is None or found.diagnosis_seconds >= (found.detection_seconds or 0)
        assert found.recovery_seconds is None or found.recovery_seconds >= 0
        assert not (found.detected and not found.known)


@given(injections, st.lists(spans_after, max_size=12))
def test_an_alert_belongs_to_at_most_one_injection(made: list[Injection], spans: list[AlertSpan]) -> None:
    owned = [id(alert) for alerts in attribute(made, spans).values() for alert in alerts]
    assert len(owned) == len(set(owned))


@given(st.lists(spans_after, max_size=12), spans_after)
def test_one_more_alert_never_takes_a_detection_away(spans: list[AlertSpan], more: AlertSpan) -> None:
    for before, after in zip(
        reactions([injection(0, 60)], spans), reactions([injection(0, 60)], [*spans, more]), strict=True
    ):
        assert after.detected or not before.detected
        if before.detection_seconds is not None:
            assert (after.detection_seconds or 0) <= before.detection_seconds
