"""New weights against those in use."""

from __future__ import annotations

import numpy as np
import pytest

from faultline.errors import TrainingDataError
from spark.models.root_cause.challenge import MIN_INCIDENTS, challenge
from spark.models.root_cause.ranker import Ranker
from spark.models.root_cause.situation import FEATURES
from tests.spark.models.root_cause.pieces import symptom
from tests.spark.models.root_cause.test_ranker import PAST, incident, loud_callers

MISLED = Ranker(np.array([5.0 if name == "own_volume" else 0.0 for name in FEATURES]))


def test_weights_that_know_better_win() -> None:
    found = challenge(PAST, MISLED)
    assert found.wins
    assert found.surprise < found.champion_surprise
    assert found.first > found.champion_first == 0.0
    assert found.ranker.weights == Ranker.delivered().fit(PAST).weights


def test_weights_that_learned_from_little_lose_against_those_that_know() -> None:
    found = challenge(PAST[: MIN_INCIDENTS + 1], Ranker().fit(PAST * 20))
    assert not found.wins
    assert found.surprise > found.champion_surprise


def test_few_incidents_change_nothing() -> None:
    assert not challenge(PAST[: MIN_INCIDENTS - 1], MISLED).wins


def test_incident_without_its_cause_counts_as_a_miss_for_both() -> None:
    found = challenge([*PAST, incident("never seen", symptom("orders"))], MISLED)
    assert found.incidents == len(PAST) + 1
    assert found.first < 1.0


def test_one_cause_alone_is_judged_by_the_weights_that_were_delivered() -> None:
    cases = [loud_callers("inventory", "payments")] * MIN_INCIDENTS
    found = challenge(cases, Ranker.delivered())
    assert found.surprise == pytest.approx(found.champion_surprise)
    assert found.wins


def test_nothing_to_learn_from_is_an_error() -> None:
    with pytest.raises(TrainingDataError):
        challenge([incident("never seen", symptom("orders"))], MISLED)
