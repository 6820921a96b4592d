"""Each aim just reached, just missed, and not measured."""

from __future__ import annotations

import pytest

from chaos.aims import Verdict, aims, detection_aim, distractor_aim, false_alarm_aim, median_aim, resolved_aim
from chaos.comparison import pairs, side_figures
from chaos.quiet import NormalTime
from chaos.records import AlertSpan, Evidence, Injection
from chaos.timings import Reaction, reactions
from faultline.statistics import rate, times
from tests.chaos.runs import injection, span

NO_TRACE = Evidence(number=1, during={}, before={})


def faults(count: int, **changes: object) -> list[Injection]:
    return [injection(200 * n, 200 * n + 30, **{"number": n + 1, **changes}) for n in range(count)]


def told(made: list[Injection], delay: float, length: float = 40, side: str = "ml") -> list[AlertSpan]:
    starts = [(found.start - made[0].start).total_seconds() + delay for found in made]
    return [span(start, start + length, side) for start in starts]


def ml(made: list[Injection], spans: list[AlertSpan]) -> list[Reaction]:
    return [found for found in reactions(made, spans) if found.side == "ml"]


def test_nothing_is_claimed_of_an_empty_run() -> None:
    found = aims([], {}, [], [], [])
    assert [aim.verdict for aim in found] == [Verdict.UNMEASURED] * 7 + [Verdict.MISSED]
    assert found[-1].value == "0 kinds, at least 0 times each, 0 min"


@pytest.mark.parametrize(("hits", "verdict"), [(19, Verdict.REACHED), (18, Verdict.MISSED)])
def test_nineteen_of_twenty_are_enough(hits: int, verdict: Verdict) -> None:
    made = faults(20)
    aim = detection_aim(ml(made, told(made[:hits], 2)), {})
    assert aim.verdict is verdict
    assert f"{hits} of 20 injections" in aim.value
    assert (aim.note == "") is (verdict is Verdict.REACHED)


def test_one_bad_kind_is_not_hidden_by_many_good_ones() -> None:
    made = faults(20)
    made.append(injection(9000, 9030, number=99, kind="disk_full"))
    aim = detection_aim(ml(made, told(made[:20], 2)), {})
    assert (aim.verdict, aim.note) == (Verdict.MISSED, "Below: disk_full (0 of 1).")


def test_a_kind_without_a_trace_is_named_and_not_asked_for() -> None:
    aim = detection_aim(ml(faults(1), []), {1: NO_TRACE})
    assert (aim.verdict, aim.note) == (Verdict.REACHED, "Left no trace, so not asked for: process_killed.")


@pytest.mark.parametrize(("delay", "verdict"), [(5, Verdict.REACHED), (5.1, Verdict.MISSED)])
def test_a_median_of_five_seconds(delay: float, verdict: Verdict) -> None:
    made = faults(3)
    (own, *_) = side_figures(reactions(made, told(made, delay)), seed=7)
    assert median_aim(own).verdict is verdict


def test_misses_count_against_the_median() -> None:
    made = faults(5)
    (own, *_) = side_figures(reactions(made, told(made[:2], 1)), seed=7)
    aim = median_aim(own)
    assert (aim.verdict, aim.value, aim.note) == (Verdict.MISSED, "30.0 s", "Of 2 detected ones alone: 1.0 s.")


def test_the_sides_are_compared_by_median_and_by_pair() -> None:
    made = faults(4)
    reacted = reactions(made, [*told(made, 3), *told(made[:1], 2, side="rules"), *told(made, 3, side="slo")])
    found = aims(reacted, {}, side_figures(reacted, 7), pairs(reacted, 7), [])
    rules, slo = (next(aim for aim in found if aim.wanted.endswith(f"that of {side}")) for side in ("rules", "slo"))
    assert (rules.verdict, rules.value) == (Verdict.REACHED, "3.0 s against 30.0 s in 4 injections")
    assert "sooner in 3 of 4, later in 1, both missed 0" in rules.note
    assert (slo.verdict, slo.value) == (Verdict.MISSED, "3.0 s against 3.0 s in 4 injections")


def normal(alarms: int, hours: float) -> NormalTime:
    hourly = rate(alarms, hours)
    return NormalTime("ml", hours, alarms, hourly, times(hourly, 24), "")


@pytest.mark.parametrize(
    ("alarms", "hours", "verdict"),
    [
        (0, 0.5, Verdict.REACHED),
        (0, 0.49, Verdict.UNMEASURED),
        (1, 0.1, Verdict.MISSED),
        (1, 24, Verdict.REACHED),
        (2, 24, Verdict.MISSED),
    ],
)
def test_one_false_alarm_a_day(alarms: int, hours: float, verdict: Verdict) -> None:
    assert false_alarm_aim(normal(alarms, hours)).verdict is verdict


def test_half_an_hour_does_not_prove_a_day() -> None:
    aim = false_alarm_aim(normal(0, 0.5))
    assert aim.note == "So short a time cannot prove it: up to 177 per 24 h would fit, too."
    assert false_alarm_aim(normal(0, 1000)).note == ""
    assert false_alarm_aim(None).value == "nothing watched, at least 30 min wanted"


@pytest.mark.parametrize(("loud", "verdict"), [(1, Verdict.REACHED), (2, Verdict.MISSED)])
def test_four_kinds_of_five_stay_quiet(loud: int, verdict: Verdict) -> None:
    made = [injection(200 * n, 200 * n + 30, number=n + 1, kind=f"change {n}", benign=True) for n in range(5)]
    aim = distractor_aim(ml(made, told(made[:loud], 2)))
    assert aim.verdict is verdict
    assert "Fired on: change 0" in aim.note


def test_resolved_within_half_a_minute() -> None:
    made = faults(2)
    assert resolved_aim(ml(made, told(made, 2, 58))).verdict is Verdict.REACHED
    late = resolved_aim(ml(made, told(made, 2, 58.1)))
    assert (late.verdict, late.note) == (Verdict.MISSED, "Longer: process_killed.")
    for_ever = resolved_aim(ml(made[:1], [span(2)]))
    assert (for_ever.verdict, for_ever.value) == (Verdict.MISSED, "0 of 1 in time, median – s")
    assert "1 fired on when the run ended." in for_ever.note
