"""The verbs about incidents against the real interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from faultline import incident_verbs as subject
from faultline.errors import StackError
from incidents.store import IncidentStore
from spark.models.root_cause.grouping import Grouping
from tests.faultline.test_feedback import SLOW
from tests.incidents.test_api import Api
from tests.incidents.test_store import numbered


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[IncidentStore]:
    store = IncidentStore.open(tmp_path / "incidents.sqlite")
    store.commit(Grouping(), {}, [numbered(1), numbered(2)], {"i1": [SLOW]})
    client = Api(store).client

    def request(method: str, url: str, *, timeout: float, trust_env: bool, **given: Any) -> httpx.Response:
        assert url.startswith("http://127.0.0.1:8110/v1/")
        return client.request(method, url.removeprefix("http://127.0.0.1:8110"), **given)

    monkeypatch.setattr(subject.httpx, "request", request)
    yield store
    store.close()


def run(verb: Any, *arguments: str) -> Result:
    return CliRunner().invoke(verb, arguments, catch_exceptions=False)


def test_incidents_are_listed_newest_first(store: IncidentStore) -> None:
    lines = run(subject.incidents).output.splitlines()
    assert [line.split()[0] for line in lines] == ["i2", "i1"]
    assert lines[0].endswith("orders: likely orders (90%)")
    assert run(subject.incidents, "--open").output == "no incidents\n"


def test_one_incident_shows_its_causes_evidence_and_verdicts(store: IncidentStore) -> None:
    run(subject.feedback, "i1", "true", "--who", "robin", "--note", "disk \x1b[31mfull")
    text = run(subject.incidents, "i1").output
    assert "1. orders (service, 90%)" in text
    assert "+1.50  said      12:00:00  <b>odd</b>" in text
    assert "robin says true  disk ?[31mfull" in text


def test_verdict_is_given_listed_and_taken_back(store: IncidentStore) -> None:
    output = run(subject.feedback, "i1", "false").output
    number = output.split()[2].rstrip(";")
    assert store.verdicts()[0].who
    assert "orders: time 'p95:duration_ms' is normal" in run(subject.learned).output
    assert run(subject.learned, "--undo", number).output == "nothing was learned from verdicts\n"


def test_what_the_interface_refuses_is_told(store: IncidentStore) -> None:
    with pytest.raises(StackError, match=r"POST /v1/incidents/i9/feedback: no incident 'i9'; GET /v1/incidents lists"):
        run(subject.feedback, "i9", "true")


def test_nobody_there_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULTLINE_PORT_INCIDENTS", "1")
    with pytest.raises(StackError, match=r"127\.0\.0\.1:1/v1/incidents: nobody answers .*; \./run status"):
        run(subject.incidents)


def test_catalog_is_checked_and_its_problems_end_in_a_status(tmp_path: Path) -> None:
    path = tmp_path / "catalog-info.yaml"
    path.write_text("kind: Component\nmetadata: {name: a}\nspec: {dependsOn: [b]}\n")
    found = CliRunner().invoke(subject.catalog, [str(path)])
    assert found.exit_code == 1
    assert "component:default/a refers to component:default/b, which is not in the catalog" in found.output
    assert "1 entities, 0 dependencies, 1 problems" in found.output
    path.write_text("kind: Component\nmetadata: {name: a}\n")
    assert CliRunner().invoke(subject.catalog, [str(path)]).exit_code == 0
