"""All arms on small sets: planted faults are found, equal seeds give equal tables."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from evaluation.arms import arms_for, bounds_for
from evaluation.arms.arm import Arm, Family
from evaluation.comparison import Settings, compare, make_bench, run_arm
from evaluation.datasets.labelled import UnitKind
from evaluation.tables import arm_rows
from faultline.stack.progress import Progress

TIMED = ("train_seconds", "score_seconds")


def test_a_new_line_is_found(line_result):
    for name in (
        "nearest_minilm",
        "nearest_lexical",
        "severity_lexical",
        "combined_max",
        "new_template",
        "level_error",
    ):
        m = line_result.arm(name).metrics
        assert (m.recall, m.precision, m.auroc) == (1.0, 1.0, 1.0), name


def test_a_session_that_ends_early_is_found_by_counts_and_not_by_words(session_result):
    assert session_result.arm("session_counts").metrics.f1 == 1.0
    assert session_result.arm("combined_max").metrics.f1 == 1.0
    assert session_result.arm("unseen_counts").metrics.f1 == 1.0
    assert session_result.arm("nearest_minilm").metrics.recall == 0.0


def test_a_combination_by_words_is_a_row_of_its_own(session_result):
    by_words = session_result.arm("combined_lexical")
    assert "severity_lexical and session_counts" in by_words.about
    assert by_words.metrics.f1 == 1.0
    assert "tone_minilm and session_counts" in session_result.arm("combined_max").about


def test_luck_and_constant_find_nothing_on_purpose(session_result):
    assert session_result.arm("constant").flags.any() == np.False_
    assert session_result.arm("constant").metrics.auroc == 0.5


def test_an_arm_that_is_not_there_is_said(session_result):
    with pytest.raises(KeyError, match="no arm is named 'nobody', expected one of new_template, keywords"):
        session_result.arm("nobody")


def test_the_same_seed_gives_the_same_table(make_sessions, encoder, session_result):
    again = compare(make_sessions(), encoder, Settings(quick=True), Progress())
    rows = [[{k: v for k, v in row.items() if k not in TIMED} for row in arm_rows(r)] for r in (session_result, again)]
    assert str(rows[0]) == str(rows[1])  # as text: NaN equals nothing


class Spy:
    """Remembers what it was given to learn from."""

    seen: ClassVar[list[np.ndarray]] = []

    def fit(self, normal):
        Spy.seen.append(normal.index)
        return self

    def score(self, units):
        return np.zeros(len(units), np.float32)


def test_an_unsupervised_arm_learns_from_normal_training_units_only(make_sessions, encoder):
    labelled = make_sessions()
    bench = make_bench(labelled, encoder, Settings())
    run_arm(bench, Arm("spy", Family.BASELINE, "", Spy))
    given = np.concatenate(Spy.seen)
    assert labelled.labels[given].sum() == 0
    assert {labelled.units[i].split for i in given} == {"train"}


def test_labels_of_test_units_change_figures_and_no_score(make_lines, encoder, line_result):
    labelled = make_lines()
    flipped = replace(
        labelled, units=tuple(replace(u, label=1 - u.label) if u.split == "test" else u for u in labelled.units)
    )
    other = compare(flipped, encoder, Settings(quick=True), Progress())
    for arm in line_result.arms:
        assert np.array_equal(arm.scores, other.arm(arm.name).scores), arm.name
        assert np.array_equal(arm.flags, other.arm(arm.name).flags), arm.name


@pytest.mark.parametrize("kind", UnitKind)
def test_names_of_arms_are_distinct_and_every_kind_has_all_families(kind):
    arms = arms_for(kind)
    names = [arm.name for arm in arms] + [bound.name for bound in bounds_for(kind)]
    assert len(names) == len(set(names))
    assert {Family.SEMANTIC, Family.BASELINE} <= {arm.family for arm in arms}
    assert len(arms_for(kind, quick=True)) < len(arms)
