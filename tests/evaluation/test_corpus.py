"""What models see of a set, and that unsupervised arms see normal training units only."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.corpus import Corpus, Space, Units, make_split


@pytest.fixture
def corpus(make_sessions, tmp_path):
    return Corpus(make_sessions(), tmp_path)


def test_no_abnormal_unit_and_no_test_unit_teaches(make_lines):
    labelled = make_lines()
    split = make_split(labelled)
    assert labelled.labels[split.normal].sum() == 0
    assert set(split.normal.tolist()) & set(split.test.tolist()) == set()
    assert labelled.labels[split.train].sum() == 1


def test_what_calibrates_is_later_than_what_teaches(make_lines):
    labelled = make_lines()
    split = make_split(labelled)
    starts = [unit.start for unit in labelled.units]
    assert max(starts[i] for i in split.earlier) < min(starts[i] for i in split.later)
    assert len(split.later) == pytest.approx(0.3 * len(split.normal), abs=1)


def test_lines_go_to_their_unit_in_order(corpus):
    bodies = [corpus.labelled.events[i].body for i in corpus.lines_of(10)]
    assert bodies == ["open file 1", "write 2 bytes"]


def test_sequences_and_highest_follow_the_units(corpus):
    space = Space(corpus, np.array([0, 1]))
    units = Units(space, np.array([1, 10]))
    assert [len(sequence) for sequence in units.sequences()] == [3, 2]
    assert units.highest(np.array([1, 5, 2, 3, 1], np.float32)).tolist() == [5, 3]
    assert space.known.all()


def test_a_template_of_units_that_did_not_teach_is_new(make_lines, tmp_path):
    corpus = Corpus(make_lines(), tmp_path)
    space = Space(corpus, make_split(corpus.labelled).normal)
    new = ~space.known[space.template_of(np.arange(120))]
    assert np.flatnonzero(new).tolist() == [20, 100, 110]


def test_templates_learned_before_stay_when_more_are_learned(make_lines, tmp_path):
    corpus = Corpus(make_lines(), tmp_path)
    split = make_split(corpus.labelled)
    before = Space(corpus, split.earlier)
    after = Space(corpus, np.append(split.normal, 20), before.tree)
    assert set(before.tree.templates) < set(after.tree.templates)
