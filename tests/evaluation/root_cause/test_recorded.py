"""Incidents out of a recorded chaos run, in small."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from evaluation.root_cause.arms import ErrorCount, Ours
from evaluation.root_cause.recorded import AFTER, Run, read_run, recorded_incidents
from faultline.catalog.demo import demo_entities
from faultline.catalog.entities import Catalog
from faultline.errors import ConfigError
from tests.spark.conftest import make_event
from tests.spark.models.root_cause.pieces import START, at
from tests.spark.models.root_cause.test_grouping import line, service
from tests.spark.models.root_cause.test_recording import commit, write_recording

SHOP = Catalog({entity.ref: entity for entity in demo_entities({})})
QUIET_SECONDS = 600  # of normal time, before the injections


def steps(second: float, service_name: str, after: str, taken: int) -> dict[str, object]:
    bucket = int(at(second).timestamp())
    return {"bucket": bucket, "service_name": service_name, "before": "asked", "after": after, "taken": taken}


def injection(number: int, target: str, begin: float, benign: bool = False) -> dict[str, object]:
    times = {"start": at(begin).isoformat(), "end": at(begin + 20).isoformat()}
    return {"number": number, "kind": "silent_failure", "target": target, "benign": benign, **times}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Payments declines without a word at 700 s; its callers are abnormal. At 900 s nothing is seen of a fault."""
    normal = [steps(5 * i, "payments", "paid", 20) for i in range(QUIET_SECONDS // 5)]
    broken = [steps(700 + 5 * i, "payments", "declined", 20) for i in range(4)]
    anomalies = [service("orders", 702), service("storefront", 703), line("orders", 704), service("orders", 740)]
    arrived = [
        {"arrived": int(1e6 * at(s + 3).timestamp()), "record": a.to_bytes()}
        for s, a in zip((702, 703, 704, 740), anomalies, strict=True)
    ]
    write_recording(
        tmp_path / "recording",
        anomalies=arrived,
        steps=[*normal, *broken],
        errors=[{"bucket": int(at(705).timestamp()), "service_name": "orders", "lines": 7}],
        changes=[{"record": commit(make_event, 690).to_bytes()}],
        versions=[
            {"bucket": int(at(s).timestamp()), "service_name": "payments", "version": v}
            for s, v in ((0, "1.0"), (695, "1.3"))
        ],
    )
    folder = tmp_path / "run"
    folder.mkdir()
    journal = [injection(1, "payments", 693), injection(2, "orders", 800, benign=True), injection(3, "inventory", 900)]
    (folder / "injections.jsonl").write_text("\n".join(map(json.dumps, journal)) + "\n")
    period = {"start": START.isoformat(), "end": at(QUIET_SECONDS).isoformat()}
    (folder / "normal.jsonl").write_text(json.dumps(period) + "\n")
    return read_run(folder, tmp_path / "recording", SHOP)


def test_fault_is_the_incident_that_it_opened(run: Run) -> None:
    found = recorded_incidents(run)
    (incident,) = found.incidents
    assert (incident.service, incident.kind, incident.at) == ("payments", "silent_failure", at(705))
    assert found.notes == ["silent_failure of inventory (3) opened no incident"]
    assert found.services == len(SHOP.candidates())


def test_only_what_was_known_some_seconds_later_counts(run: Run) -> None:
    (incident,) = recorded_incidents(run).incidents
    times = {symptom.since for symptom in incident.situation.symptoms if symptom.since}
    assert max(times) < at(705) + AFTER
    later = recorded_incidents(run, timedelta(seconds=50)).incidents[0]
    assert len(later.situation.symptoms) > len(incident.situation.symptoms)


def test_steps_speak_for_the_service_that_says_nothing(run: Run) -> None:
    (incident,) = recorded_incidents(run).incidents
    flow = [symptom for symptom in incident.situation.symptoms if symptom.service_name == "payments"]
    assert [symptom.kind for symptom in flow] == ["flow"]
    assert Ours().rank(incident)[0] in incident.causes
    assert ErrorCount().rank(incident) == ["orders"]


def test_change_of_the_target_while_it_was_injected_is_right_too(run: Run) -> None:
    (incident,) = recorded_incidents(run).incidents
    changes = {change.text: change for change in incident.situation.changes}
    assert changes["commit 690; payments runs version 1.3, before 1.0"].services == ("payments",)
    assert incident.causes == {"payments", *(change.event_id for change in changes.values())}


def test_journal_that_is_none_is_refused(tmp_path: Path) -> None:
    write_recording(tmp_path / "recording")
    (tmp_path / "injections.jsonl").write_text("{}\n")
    with pytest.raises(ConfigError, match=r"injections\.jsonl.*a journal of \./run chaos"):
        read_run(tmp_path, tmp_path / "recording", SHOP)
