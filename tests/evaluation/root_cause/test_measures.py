"""Figures of rankings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.root_cause.measures import guessed, measure

RANKS = st.lists(st.one_of(st.none(), st.integers(1, 50)), min_size=1, max_size=30)


def test_perfect_order_has_all_figures_one() -> None:
    found = measure([1, 1, 1], "abc", seed=7)
    assert {found.ac1.value, found.ac3.value, found.avg5.value, found.mrr.value} == {1.0}


def test_cause_that_is_not_named_counts_as_missed() -> None:
    found = measure([None, None], "ab", seed=7)
    assert {found.ac1.value, found.ac3.value, found.avg5.value, found.mrr.value} == {0.0}


@given(RANKS)
def test_figures_are_ordered_and_lie_in_their_intervals(ranks: list[int | None]) -> None:
    found = measure(ranks, range(len(ranks)), seed=7)
    assert found.ac1.value <= found.avg5.value <= 1
    assert found.ac1.value <= found.ac3.value
    assert found.ac1.value <= found.mrr.value + 1e-12
    if len(ranks) > 1:
        assert found.mrr.low - 1e-9 <= found.mrr.value <= found.mrr.high + 1e-9


def test_repeats_of_a_kind_do_not_make_the_interval_narrow() -> None:
    ranks = [1] * 20 + [2] * 20 + [1] * 20
    kinds = ["a"] * 20 + ["b"] * 20 + ["c"] * 20
    together, alone = measure(ranks, kinds, 7).ac1, measure(ranks, range(60), 7).ac1
    assert together.high - together.low > alone.high - alone.low


def test_guess_among_few_is_certain_within_its_depth() -> None:
    assert guessed(1) == (1.0, 1.0, 1.0, 1.0)
    assert guessed(3)[1] == 1.0
    assert guessed(46)[0] == pytest.approx(1 / 46)
