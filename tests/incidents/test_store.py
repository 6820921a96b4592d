"""What is kept of incidents, and what a kill leaves of it."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from faultline.errors import ArtifactError
from faultline.feedback import CandidateTable, Verdict
from faultline.incidents import Incident, IncidentState
from incidents import store as subject
from incidents.store import IncidentStore
from spark.models.root_cause.grouping import Grouping
from spark.models.root_cause.situation import Candidates, Situation, candidates_of
from tests.faultline.test_feedback import SLOW, verdict
from tests.faultline.test_incidents import MOMENT, incident
from tests.spark.models.root_cause.pieces import SHOP, symptom
from tests.spark.models.root_cause.test_grouping import feed, service


def numbered(number: int, state: IncidentState = IncidentState.RESOLVED, version: int = 1) -> Incident:
    opened = MOMENT + timedelta(minutes=number)
    return msgspec.structs.replace(incident(), incident_id=f"i{number}", opened_at=opened, state=state, version=version)


@pytest.fixture
def store(tmp_path: Path) -> IncidentStore:
    return IncidentStore.open(tmp_path / "incidents" / "incidents.sqlite")


def test_new_store_is_empty(store: IncidentStore) -> None:
    assert (store.grouping(), store.offsets(), store.newest(9), store.unpublished()) == (Grouping(), {}, [], [])
    assert store.find("i1") is None


def test_step_is_kept_over_a_restart(store: IncidentStore, tmp_path: Path) -> None:
    grouping, _ = feed(service("orders", 0))
    store.commit(grouping, {0: 7}, [numbered(1)])
    store.close()
    again = IncidentStore.open(tmp_path / "incidents" / "incidents.sqlite")
    assert (again.grouping(), again.offsets(), again.find("i1")) == (grouping, {0: 7}, numbered(1))


def test_broken_step_leaves_nothing(store: IncidentStore) -> None:
    store.commit(Grouping(), {0: 1}, [numbered(1)])
    broken = msgspec.structs.replace(numbered(2), opened_at="no time")
    with pytest.raises(AttributeError):
        store.commit(feed(service("orders", 0))[0], {0: 2}, [numbered(3), broken])
    assert (store.grouping(), store.offsets(), store.newest(9)) == (Grouping(), {0: 1}, [numbered(1)])


def test_newer_version_takes_the_place_of_the_older(store: IncidentStore) -> None:
    store.commit(Grouping(), {}, [numbered(1, IncidentState.OPEN)])
    store.commit(Grouping(), {}, [numbered(1, version=2)])
    assert store.newest(9) == [numbered(1, version=2)]


def test_what_is_acknowledged_is_not_published_again_and_what_changed_meanwhile_is(store: IncidentStore) -> None:
    store.commit(Grouping(), {}, [numbered(1), numbered(2)])
    sent = store.unpublished()
    assert [found.incident_id for found in sent] == ["i1", "i2"]
    store.commit(Grouping(), {}, [numbered(2, version=2)])
    store.mark_published(sent)
    assert store.unpublished() == [numbered(2, version=2)]


def test_newest_come_first_page_by_page_and_by_state(store: IncidentStore) -> None:
    found = [numbered(i, IncidentState.OPEN if i % 2 else IncidentState.RESOLVED) for i in range(6)]
    store.commit(Grouping(), {}, found)
    first = store.newest(2)
    assert [incident.incident_id for incident in first] == ["i5", "i4"]
    assert [i.incident_id for i in store.newest(9, before=first[-1].opened_at.isoformat())] == ["i3", "i2", "i1", "i0"]
    assert [i.incident_id for i in store.newest(9, IncidentState.OPEN)] == ["i5", "i3", "i1"]
    assert store.count(IncidentState.RESOLVED) == 3


def test_closed_and_published_incidents_are_bounded(store: IncidentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "KEPT_INCIDENTS", 3)
    store.commit(Grouping(), {}, [numbered(0, IncidentState.OPEN), *(numbered(i) for i in range(1, 6))])
    assert len(store.newest(99)) == 6  # not published yet
    store.mark_published(store.unpublished())
    store.commit(Grouping(), {}, [])
    assert [found.incident_id for found in store.newest(99)] == ["i5", "i4", "i3", "i0"]


def test_file_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "incidents.sqlite"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(ArtifactError, match=r"incidents\.sqlite: .*move the file away"):
        IncidentStore.open(path)


def test_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "incidents.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(ArtifactError, match="format 99, expected incidents of format 1"):
        IncidentStore.open(path)


def test_verdicts_are_kept_once_and_published_once(store: IncidentStore) -> None:
    first, second = verdict(1, "i1", Verdict.FALSE), verdict(2, "i2", Verdict.TRUE)
    for given in (first, second, first):
        store.add_verdict(given)
    assert store.verdicts() == store.unpublished_verdicts() == [first, second]
    assert store.verdicts("i2") == [second]
    store.mark_verdicts_published([first])
    assert store.unpublished_verdicts() == [second]


def test_what_verdicts_teach_can_be_traced_and_undone(store: IncidentStore) -> None:
    store.add_verdict(verdict(1, "i1", Verdict.FALSE, patterns=[SLOW]))
    (learned,) = store.learned()
    assert (learned.pattern, learned.normal, learned.feedback_id, learned.who) == (SLOW, True, "f1", "robin")
    store.add_verdict(verdict(2, "i1", Verdict.FALSE, undoes="f1"))
    assert store.learned() == []


def test_subject_of_a_verdict_is_kept_as_long_as_its_incident(
    store: IncidentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "KEPT_INCIDENTS", 1)
    candidates = candidates_of(Situation([symptom("orders")], SHOP))
    kept = {f"i{n}": [SLOW] for n in (1, 2)}
    store.commit(Grouping(), {}, [numbered(1), numbered(2)], kept, dict.fromkeys(kept, candidates))
    patterns, table = store.subject("i1")
    assert patterns == [SLOW]
    again = Candidates.of(table)
    assert again.names == candidates.names
    assert (abs(again.x - candidates.x) < 1e-5).all()
    store.mark_published(store.unpublished())
    store.commit(Grouping(), {}, [])
    assert store.subject("i1") == ([], CandidateTable())
    assert store.subject("i2")[0] == [SLOW]
