"""Who learns from what, and that nobody learns from what is asked about."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from evaluation.root_cause.arms import Arm, ErrorCount, FirstToAlert, Ours, Untrained, all_arms
from evaluation.root_cause.held_out import HoldOut, rank_held_out
from evaluation.root_cause.incidents import IncidentSet, LabelledIncident
from spark.models.root_cause.situation import Situation
from spark.models.root_cause.symptoms import Symptom, SymptomKind
from tests.spark.models.root_cause.pieces import SHOP, START, symptom


def incident(service: str, kind: str, *symptoms: Symptom, **errors: int) -> LabelledIncident:
    situation = Situation(symptoms or (symptom(service),), SHOP)
    return LabelledIncident(f"{kind} of {service}", kind, service, frozenset({service}), situation, START, errors)


OURS = IncidentSet("ours", tuple(incident(s, k) for k in ("slow", "killed") for s in ("orders", "payments")), 4)
OTHERS = IncidentSet("others", (incident("orders", "slow"), incident("ledger", "full")), 9)


class Spy(Arm):
    """Notes what it was fitted on."""

    name = "spy"
    learns = True

    def __init__(self, seen: Sequence[LabelledIncident] = ()) -> None:
        self.seen = seen
        self.asked: list[tuple[LabelledIncident, Sequence[LabelledIncident]]] = []

    def fit(self, incidents: Sequence[LabelledIncident]) -> Spy:
        fitted = Spy([*self.seen, *incidents])
        fitted.asked = self.asked
        return fitted

    def rank(self, incident: LabelledIncident) -> list[str]:
        self.asked.append((incident, self.seen))
        return [incident.service]


@pytest.mark.parametrize(
    ("hold_out", "learned_from"),
    [
        (HoldOut.KIND, [3, 3, 4, 4]),
        (HoldOut.SERVICE, [3, 4, 3, 4]),
        (HoldOut.KIND_AND_SERVICE, [2, 2, 2, 3]),
        (HoldOut.SYSTEM, [2] * 4),
    ],
)
def test_nothing_held_out_is_learned_from(hold_out: HoldOut, learned_from: list[int]) -> None:
    spy = Spy()
    ranked = rank_held_out(spy, OURS, [OURS, OTHERS], hold_out)
    assert [found.learned_from for found in ranked] == learned_from
    for asked, seen in spy.asked:
        for other in seen:
            if hold_out in (HoldOut.KIND, HoldOut.KIND_AND_SERVICE):
                assert other.kind != asked.kind
            if hold_out in (HoldOut.SERVICE, HoldOut.KIND_AND_SERVICE):
                assert other.service != asked.service
            if hold_out is HoldOut.SYSTEM:
                assert other in OTHERS.incidents


def test_own_system_is_learned_from_last() -> None:
    spy = Spy()
    rank_held_out(spy, OURS, [OURS, OTHERS], HoldOut.KIND_AND_SERVICE)
    asked, seen = spy.asked[0]
    assert [other in OURS.incidents for other in seen] == sorted(other in OURS.incidents for other in seen)
    assert asked in OURS.incidents


def test_rank_is_the_place_of_the_best_cause() -> None:
    (found,) = rank_held_out(ErrorCount(), _one(incident("orders", "slow", orders=1, payments=5)), [], HoldOut.KIND)
    assert (found.order, found.rank) == (("payments", "orders"), 2)
    (missed,) = rank_held_out(ErrorCount(), _one(incident("orders", "slow", payments=5)), [], HoldOut.KIND)
    assert missed.rank is None


def test_nothing_to_learn_from_leaves_the_ranker_untrained() -> None:
    alone = _one(incident("orders", "slow", symptom("orders"), symptom("payments")))
    (found,) = rank_held_out(Ours(), alone, [alone], HoldOut.KIND)
    assert found.learned_from == 0
    assert list(found.order) == Untrained().rank(alone.incidents[0])


def test_causes_that_nobody_could_name_teach_nothing() -> None:
    strange = IncidentSet("strange", (incident("nowhere", "odd", symptom("orders")),), 4)
    (found, *_) = rank_held_out(Ours(), OURS, [strange], HoldOut.SYSTEM)
    assert found.learned_from == 0


def test_first_to_alert_goes_by_time() -> None:
    case = incident(
        "orders", "slow", symptom("payments", since=2), symptom("orders", since=1), symptom("orders", since=9)
    )
    assert FirstToAlert().rank(case) == ["orders", "payments"]
    unknown = incident("orders", "slow", symptom("payments", since=None), symptom("orders", since=1))
    assert FirstToAlert().rank(unknown) == ["orders", "payments"]


def test_arms_see_only_what_their_name_says() -> None:
    arms = {arm.name: arm for arm in all_arms()}
    loud = incident("payments", "slow", symptom("payments", surprise=1.0), symptom("orders", SymptomKind.TIME, 900.0))
    assert arms["graph only"].rank(loud)[0] in ("inventory", "payments")
    assert arms["text only"].rank(loud) == sorted(loud.candidates.names)


def _one(case: LabelledIncident) -> IncidentSet:
    return IncidentSet("one", (case,), 4)
