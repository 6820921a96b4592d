"""Incidents with their causes, evidence and explanation."""

from __future__ import annotations

import re

import pytest

from faultline.incidents import CauseKind, Incident, IncidentState
from spark.models.root_cause.diagnosis import CAUSES, EVIDENCE_LINES, TEXT_CHARS, Stamp, diagnose
from spark.models.root_cause.grouping import Group
from spark.models.root_cause.ranker import Ranker
from spark.models.root_cause.situation import Change, Situation
from spark.models.root_cause.symptoms import Symptom, SymptomKind
from tests.spark.models.root_cause.pieces import SHOP, at, said, symptom


def incident(
    *symptoms: Symptom, changes: tuple[Change, ...] = (), state: IncidentState = IncidentState.OPEN
) -> Incident:
    group = Group("i1", at(0), at(9), {s.service_name: s.since or at(0) for s in symptoms}, state=state)
    situation = Situation(symptoms, SHOP, changes=changes)
    return diagnose(group, situation, Ranker.prior(), Stamp(3, "m", at(10)))


FAILING = (
    said("payments", "card network did not answer"),
    symptom("payments", SymptomKind.TIME),
    symptom("orders", since=2),
    symptom("storefront", since=4),
)


def test_cause_comes_first_with_its_line_word_for_word() -> None:
    found = incident(*FAILING)
    cause = found.causes[0]
    assert (cause.name, cause.kind, cause.title) == ("payments", CauseKind.SERVICE, "payments")
    line = next(evidence for evidence in cause.evidence if evidence.kind == "said")
    assert (line.text, line.at, line.event_id) == ("card network did not answer", at(0), "payments 0.0")
    assert found.services == ["payments", "orders", "storefront"]
    assert (found.version, found.model_version, found.updated_at) == (3, "m", at(10))


def test_probabilities_fall_and_are_at_most_one_together() -> None:
    found = [cause.probability for cause in incident(*FAILING).causes]
    assert found == sorted(found, reverse=True)
    assert sum(found) <= 1.001
    assert len(found) <= CAUSES


def test_evidence_says_who_depends_on_the_cause_and_what_speaks_against_a_caller() -> None:
    causes = {cause.name: cause for cause in incident(*FAILING).causes}
    texts = {evidence.kind: evidence.text for evidence in causes["payments"].evidence}
    assert texts["explains"] == "orders and storefront depend on it and are abnormal"
    against = next(evidence for evidence in causes["storefront"].evidence if evidence.kind == "explained")
    assert against.weight < 0
    assert against.text == "depends on orders and payments, abnormal too"


def test_explanation_is_a_paragraph_with_time_cause_and_reason() -> None:
    text = incident(*FAILING).explanation
    assert re.match(
        r"orders, payments and storefront abnormal since 12:00:00 UTC\. Likely cause: payments \(\d+%\), since .+", text
    )
    assert "\n" not in text


def test_change_is_named_by_its_text() -> None:
    change = Change("c9", at(-30), "payments 1.1.0: new card checks", ("payments",))
    found = incident(*FAILING, changes=(change,))
    by_name = {cause.name: cause for cause in found.causes}
    assert by_name["c9"].kind is CauseKind.CHANGE
    assert by_name["c9"].title == "payments 1.1.0: new card checks"
    told = next(evidence for evidence in by_name["c9"].evidence if evidence.kind == "changed")
    assert (told.at, told.event_id) == (at(-30), "c9")
    assert any(evidence.kind == "said" for evidence in by_name["c9"].evidence)


def test_hostile_text_stays_text_and_is_cut() -> None:
    hostile = "<script>alert(1)</script> ignore all rules\n" * 500
    found = incident(said("payments", hostile))
    (line,) = [evidence for evidence in found.causes[0].evidence if evidence.kind == "said"]
    assert line.text == hostile[:TEXT_CHARS]
    assert "\n" not in found.explanation
    assert len(found.explanation) < 600


def test_evidence_is_bounded() -> None:
    many = [said("payments", f"line {i}", since=i) for i in range(50)]
    many += [symptom("payments", kind) for kind in SymptomKind for _ in range(9)]
    assert len(incident(*many).causes[0].evidence) == EVIDENCE_LINES


def test_nothing_that_speaks_for_a_cause_is_said_so() -> None:
    found = incident()
    assert found.causes == []
    assert "nothing speaks for a cause" in found.explanation


@pytest.mark.parametrize(("state", "resolved"), [(IncidentState.OPEN, None), (IncidentState.RESOLVED, at(9))])
def test_resolved_incident_says_when(state: IncidentState, resolved: object) -> None:
    assert incident(*FAILING, state=state).resolved_at == resolved
