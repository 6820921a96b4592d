"""Learning weights from incidents whose cause is known, and ranking others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from faultline.errors import ArtifactError, NotFittedError, TrainingDataError
from spark.models.root_cause import ranker as subject
from spark.models.root_cause.ranker import FILE, LabelledCandidates, Ranker
from spark.models.root_cause.situation import FEATURES, Situation, candidates_of
from spark.models.root_cause.symptoms import Symptom, SymptomKind
from tests.spark.models.root_cause.pieces import SHOP, symptom


def incident(cause: str, *symptoms: Symptom) -> LabelledCandidates:
    return LabelledCandidates(candidates_of(Situation(symptoms, SHOP)), frozenset({cause}))


def loud_callers(cause: str, loud: str) -> LabelledCandidates:
    """The cause flows otherwise; another service is louder, but only by how much it does."""
    return incident(cause, symptom(cause, SymptomKind.FLOW, 20), symptom(loud, SymptomKind.VOLUME, 500))


PAST = [
    loud_callers("payments", "inventory"),
    loud_callers("orders", "payments"),
    loud_callers("payments", "orders"),
] * 3


def first(ranker: Ranker, case: LabelledCandidates) -> str:
    return case.candidates.names[ranker.order(case.candidates)[0]]


def test_untrained_ranker_takes_the_dependency_that_explains_the_others() -> None:
    case = incident("payments", symptom("payments"), symptom("orders", since=3), symptom("storefront", since=6))
    assert first(Ranker.prior(), case) == "payments"


def test_trained_ranker_has_learned_what_speaks_for_a_cause() -> None:
    case = loud_callers("inventory", "payments")
    assert first(Ranker.prior(), case) == "payments"
    ranker = Ranker().fit(PAST)
    assert first(ranker, case) == "inventory"
    assert ranker.weights["own_flow"] > ranker.weights["own_volume"]


def test_weights_keep_their_sign_and_kinds_that_never_came_their_prior() -> None:
    weights = Ranker().fit(PAST).weights
    assert all(weights[name] <= 0 for name in ("explained", "blames"))
    assert all(weights[name] >= 0 for name in FEATURES if name not in ("explained", "blames", "is_change"))
    assert weights["own_silence"] == pytest.approx(subject.PRIOR_OWN, abs=1e-3)


def test_probabilities_sum_to_one_and_contributions_to_what_orders() -> None:
    candidates, ranker = PAST[0].candidates, Ranker().fit(PAST)
    p = ranker.probabilities(candidates)
    assert p.sum() == pytest.approx(1.0)
    utility = ranker.contributions(candidates).sum(axis=1)
    assert np.argsort(-utility).tolist() == np.argsort(-p).tolist()


def test_incident_without_a_candidate_has_no_order() -> None:
    assert Ranker.prior().order(candidates_of(Situation([], SHOP))) == []


def test_equal_candidates_come_by_name() -> None:
    case = incident("a", symptom("b"), symptom("a"))
    assert [case.candidates.names[i] for i in Ranker.prior().order(case.candidates)] == ["a", "b"]


def test_input_is_unchanged_and_the_same_incidents_give_the_same_weights() -> None:
    before = [case.candidates.x.copy() for case in PAST]
    one, other = Ranker().fit(PAST), Ranker().fit(list(reversed(PAST)))
    assert all((a == case.candidates.x).all() for a, case in zip(before, PAST, strict=True))
    assert one.weights == pytest.approx(other.weights, abs=1e-3)


def test_gradient_is_that_of_the_loss() -> None:
    cases = [(case.candidates.x, np.array([n in case.causes for n in case.candidates.names])) for case in PAST]
    weights = np.random.default_rng(7).normal(1.0, 1.0, len(FEATURES))
    prior = np.ones(len(FEATURES))
    _, gradient = subject._loss(weights, cases, prior)
    step = 1e-6 * np.eye(len(FEATURES))
    ends = [[subject._loss(weights + sign * e, cases, prior)[0] for sign in (1, -1)] for e in step]
    numeric = [(above - below) / 2e-6 for above, below in ends]
    np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-4)


def test_learning_goes_on_from_the_weights_there_are() -> None:
    begun = Ranker().fit(PAST)
    weights = dict(begun.weights)
    again = begun.fit(PAST[:1])
    assert begun.weights == weights  # a ranker is never changed
    assert again.weights != Ranker().fit(PAST[:1]).weights


def test_delivered_weights_are_of_these_features_and_rank() -> None:
    delivered = Ranker.delivered()
    assert set(delivered.weights) == set(FEATURES)
    assert first(delivered, PAST[0]) in PAST[0].causes


def test_saved_ranker_ranks_alike(tmp_path: Path) -> None:
    ranker = Ranker().fit(PAST)
    ranker.save(tmp_path)
    again = Ranker.load(tmp_path)
    np.testing.assert_array_equal(again.probabilities(PAST[0].candidates), ranker.probabilities(PAST[0].candidates))


def test_incidents_without_their_cause_teach_nothing() -> None:
    case = incident("never seen", symptom("orders"))
    with pytest.raises(TrainingDataError, match="no incident with its cause among its candidates"):
        Ranker().fit([case])
    assert Ranker().fit([case, *PAST]).weights == Ranker().fit(PAST).weights


def test_ranking_before_learning_is_an_error() -> None:
    with pytest.raises(NotFittedError, match="fit or load one"):
        Ranker().probabilities(PAST[0].candidates)


NO_JSON, OTHER_FORMAT, OTHER_FEATURES, NO_NUMBER = (
    "{",
    json.dumps({"format": 99, "weights": dict.fromkeys(FEATURES, 1.0)}),
    json.dumps({"format": 1, "weights": {"own_flow": 1.0}}),
    json.dumps({"format": 1, "weights": dict.fromkeys(FEATURES, "much")}),
)


@pytest.mark.parametrize("text", [NO_JSON, OTHER_FORMAT, OTHER_FEATURES, NO_NUMBER])
def test_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ArtifactError, match=r"root_cause\.json: .*train again"):
        Ranker.load(tmp_path)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"root_cause\.json: .*train again"):
        Ranker.load(tmp_path)
