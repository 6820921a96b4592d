"""Windows of event time: what is in a row, when a second closes, and what bounds the state."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark.models import windows
from spark.models.features import Fact
from spark.models.windows import DELAY_SECONDS, MAX_GAP_SECONDS, WIDTH, RowTable, Windows

START = 1_700_000_000


def fact(second: int, name: str = "lines:app_container_log", total: float = 1.0, service: str = "orders") -> Fact:
    return Fact(service, START + second, name, total, total, int(total))


def steady(seconds: int, service: str = "orders") -> list[Fact]:
    """Two lines in every second."""
    return [fact(second, total=2.0, service=service) for second in range(seconds)]


def rows_of(facts: list[Fact], newest: int) -> dict[tuple[str, int], windows.Row]:
    state = Windows()
    state.add(facts)
    return {(service, second - START): row for service, second, row in state.advance(START + newest)}


def test_a_row_counts_lines_of_both_widths():
    row = rows_of(steady(20), 20)["orders", 19]
    assert (row["lines/5s"], row["lines/15s"]) == (10.0, 30.0)


def test_a_service_has_rows_once_its_windows_are_whole():
    seconds = [second for _, second in rows_of(steady(20), 20)]
    assert seconds == list(range(WIDTH, 20))


def test_a_second_closes_when_the_watermark_has_passed_it():
    state = Windows()
    state.add(steady(30))
    list(state.advance(START + 20))
    assert state.closed == START + 20 - DELAY_SECONDS


def test_a_line_for_a_closed_second_is_late():
    state = Windows()
    state.add(steady(30))
    list(state.advance(START + 25))
    state.add([fact(10, total=3.0), fact(10, "level:ERROR", 3.0)])
    assert state.late == 3


def test_silence_grows_while_others_speak():
    facts = [*steady(20), *steady(60, "payments")]
    rows = rows_of(facts, 60)
    assert [rows["orders", second]["silence:app_container_log"] for second in (19, 29, 59)] == [0.0, 10.0, 40.0]
    assert rows["orders", 59]["lines/15s"] == 0.0


def test_a_service_that_is_silent_for_long_is_forgotten(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(windows, "FORGET_SECONDS", 30)
    rows = rows_of([*steady(20), *steady(100, "payments")], 100)
    assert ("orders", 49) in rows
    assert ("orders", 51) not in rows


def test_after_a_gap_nobody_knows_of_windows_begin_anew():
    late = MAX_GAP_SECONDS + 100
    rows = rows_of([*steady(30), *(fact(late + second) for second in range(30))], late + 30)
    seconds = [second for _, second in rows]
    assert seconds == [*range(WIDTH, 30), *range(late + WIDTH, late + 30)]


def test_quantiles_come_from_bins_and_need_enough_samples():
    few = [fact(18, f"value:duration_ms#{bin_}") for bin_ in (4, 4, 4, 10)]
    row = rows_of([*steady(20), *few], 20)["orders", 19]
    assert "p50:duration_ms" not in row
    row = rows_of([*steady(20), *few, fact(18, "value:duration_ms#4")], 20)["orders", 19]
    assert (row["p50:duration_ms"], row["p95:duration_ms"]) == (4.0, 32.0)


def test_a_counter_gives_its_rise_per_second_and_after_a_reset_what_it_counted_since():
    rising = [Fact("orders", START + s, "counter:requests_total", s * 3.0, s * 3.0, 1) for s in range(0, 20, 5)]
    row = rows_of([*steady(20), *rising], 20)["orders", 19]
    assert row["rate:requests_total"] == pytest.approx(3.0)
    reset = [*rising, Fact("orders", START + 18, "counter:requests_total", 1.0, 1.0, 1)]
    assert rows_of([*steady(20), *reset], 20)["orders", 19]["rate:requests_total"] == pytest.approx(46 / 18)


def test_a_gauge_shows_its_first_value_and_its_change():
    gauges = [Fact("orders", START + s, "gauge:rss_bytes", v, v, 1) for s, v in ((1, 50.0), (10, 100.0), (15, 300.0))]
    row = rows_of([*steady(20), *gauges], 20)["orders", 19]
    assert (row["gauge:rss_bytes"], row["change:rss_bytes"]) == (100.0, 200.0)


def test_services_beyond_the_bound_are_counted_not_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(windows, "MAX_SERVICES", 2)
    state = Windows()
    state.add([fact(0, service=name) for name in "abcd"])
    assert (sorted(state.services), state.left_out) == (["a", "b"], 2)


def test_names_beyond_the_bound_are_dropped_known_ones_go_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(windows, "MAX_NAMES", 2)
    state = Windows()
    state.add([fact(0), fact(0, "level:WARN"), fact(0, "level:ERROR"), fact(0)])
    assert state.services["orders"].seconds[START] == {
        "lines:app_container_log": (2.0, 1.0, 2),
        "level:WARN": (1.0, 1.0, 1),
    }


def test_state_holds_no_more_than_the_window_and_what_is_open():
    state = Windows()
    for second in range(500):
        state.add([fact(second)])
        list(state.advance(START + second))
    assert len(state.services["orders"].seconds) <= WIDTH + DELAY_SECONDS + 1


@given(st.integers(0, 2**32), st.lists(st.integers(1, 39), min_size=0, max_size=4, unique=True))
def test_batch_and_stream_give_the_same_rows(seed: int, cuts: list[int]):
    """All at once, as training does, or in micro-batches cut anywhere, as the stream does."""
    rng = random.Random(seed)
    facts = [
        fact(
            rng.randrange(40), rng.choice(("lines:nginx_access", "level:ERROR", "value:ms#3", "template:ab")), service=s
        )
        for s in ("orders", "payments")
        for _ in range(60)
    ]
    begin = [fact(0, service=s) for s in ("orders", "payments")]
    at_once = rows_of([*begin, *facts], 40)
    state, streamed = Windows(), {}
    edges = [0, *sorted(cuts), 41]
    state.add(begin)
    for low, high in pairwise(edges):
        part = [f for f in facts if low <= f.second - START < high]
        rng.shuffle(part)
        state.add(part)
        newest = START + (high - 1 if high < 41 else 40)
        streamed |= {(service, second - START): row for service, second, row in state.advance(newest)}
    assert streamed == at_once
    assert state.late == 0


def test_a_table_fills_what_a_row_lacks_with_nan():
    table = RowTable([{"a": 1.0}, {"b": 2.0}, {"a": 3.0}])
    np.testing.assert_array_equal(
        table.matrix(["a", "b", "c"]), [[1.0, np.nan, np.nan], [np.nan, 2.0, np.nan], [3.0, np.nan, np.nan]]
    )
    assert (len(table), table.seen("a"), table.seen("c")) == (3, 2, 0)
    assert table.matrix([]).shape == (3, 0)
