"""Minutes judged second by second, with the windows and profiles of the stream."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from evaluation.arms import arms_for
from evaluation.arms.seconds import SecondsScorer, service_times
from evaluation.corpus import Corpus, Space, Units
from evaluation.datasets.labelled import UnitKind
from evaluation.datasets.lines import RawLine, line_event
from evaluation.datasets.service_windows import window_set
from faultline.records import Severity
from spark.models.features import event_facts, event_second
from spark.models.structured_training import normal_time
from spark.models.templates import template_id

MINUTES = 16
GAP = 7  # this minute was not recorded


@pytest.fixture
def units_of(make_line, encoder):
    """A function: units of minutes, given lines (second, service, body, severity)."""
    zero = make_line(0, "x").timestamp

    def made(lines, learned=range(MINUTES)):
        events = [
            line_event("t", n, RawLine(at, severity, body), at, service=service)
            for n, (second, service, body, severity) in enumerate(lines)
            for at in [zero + timedelta(seconds=second)]
        ]
        labelled = window_set(
            "t", events, [], lambda moment: "train" if moment < zero + timedelta(minutes=8) else "test"
        )
        index = np.array(
            [i for i, u in enumerate(labelled.units) if (u.start - zero).seconds // 60 in learned], np.int64
        )
        return Units(Space(Corpus(labelled, encoder), index), index)

    return made


def ticks(silent=(), failing=(), gap=()):
    """Two services write every second; the shop is silent or fails in some minutes, nobody was recorded in others."""
    return [
        (second, service, *(("burnt", Severity.ERROR) if wrong else ("tick", Severity.INFO)))
        for second in range(MINUTES * 60)
        for service in ("bank", "shop")
        for minute, wrong in [(second // 60, service == "shop" and second // 60 in failing)]
        if minute not in gap and not (service == "shop" and minute in silent)
    ]


def high(units, scores):
    labelled = units.corpus.labelled
    return [labelled.units[i].key for i, score in zip(units.index, scores, strict=True) if score > 5]


def test_silence_and_errors_of_a_service_stand_out(units_of):
    normal, odd = units_of(ticks()), units_of(ticks(silent=(10,), failing=(13,)))
    scores = SecondsScorer().fit(normal).score(Units(odd.space, odd.index))
    # A second tells of the 15 before it: the minute after shows errors, too.
    assert high(odd, scores) == ["shop@01-01T00:10", "shop@01-01T00:13", "shop@01-01T00:14"]


def test_where_recording_stops_is_no_silence(units_of):
    lines = ticks(gap=(GAP,))
    normal = units_of(lines)
    assert not high(normal, SecondsScorer().fit(normal).score(normal))
    time = service_times(normal)["shop"]
    assert len(time.rows) == 60 * (MINUTES - 1) - 2 * 15  # windows begin anew after the gap


def test_time_that_is_not_given_is_as_if_not_recorded(units_of):
    lines = ticks(failing=(GAP,))
    normal = units_of(lines, learned=[m for m in range(MINUTES) if m != GAP])
    time = service_times(normal)["shop"]
    assert time.rows.seen("level:ERROR/15s") == 0
    assert len(time.rows) == 60 * (MINUTES - 1) - 2 * 15


def test_rows_are_those_of_training_on_the_stream(units_of):
    """One stretch of all services gives what structured_training makes of the same facts."""
    units = units_of(ticks(failing=(3,)))
    events = units.corpus.labelled.events
    names = [
        f"template:{template_id(units.space.templates[code])}"
        for code in units.space.template_of(np.arange(len(events)))
    ]
    expected = normal_time(event_facts(events, names, [event_second(event, event.timestamp) for event in events]))
    for service, time in service_times(units).items():
        assert set(time.rows.columns) == set(expected[service].rows.columns)
        columns = sorted(time.rows.columns)
        assert np.array_equal(time.rows.matrix(columns), expected[service].rows.matrix(columns), equal_nan=True)


def test_a_service_that_normal_time_hardly_showed_is_not_judged(units_of):
    normal = units_of([*ticks(), (MINUTES * 60 - 20, "clock", "tick", Severity.INFO)])
    scores = SecondsScorer().fit(normal).score(normal)
    assert [scores[row] for row, group in enumerate(normal.groups) if group == "clock"] == [0.0] * MINUTES


def test_what_streams_is_one_semantic_and_one_structured_arm():
    for kind in UnitKind:
        streamed = [arm.name for arm in arms_for(kind, quick=True) if arm.streams]
        assert (
            streamed
            == {
                UnitKind.LINE: ["tone_minilm"],
                UnitKind.SESSION: ["tone_minilm", "session_counts"],
                UnitKind.WINDOW: ["structured", "tone_minilm"],
            }[kind]
        )
