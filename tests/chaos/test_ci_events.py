from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from chaos.ci_events import Deployment, tell_commit, tell_ended, tell_started
from faultline.config import Paths
from faultline.records import Severity, SourceType
from feeder.change_events import parse_commit, parse_workflow_run
from feeder.origin import Origin


def lines(home: Path, source: str) -> list[bytes]:
    return (home / "watched" / "events" / f"{source}.jsonl").read_bytes().splitlines()


def origin(source_type: SourceType) -> Origin:
    return Origin(source_type, "shop", "h1", "events.jsonl", 0, datetime.now(UTC))


def test_commit_is_read_by_the_feeder(tmp_path: Path) -> None:
    deployment = Deployment(revision="ab12", run=7)
    tell_commit(Paths(tmp_path), deployment, "Round up\n\nAs agreed.", "Mika")
    [line] = lines(tmp_path, "github_commits")
    event = parse_commit(origin(SourceType.GITHUB_COMMITS), line)
    assert event.body == "Round up\n\nAs agreed."
    assert event.severity is Severity.INFO
    assert "parse.error" not in event.attributes
    assert (event.attributes["vcs.ref.head.revision"], event.attributes["vcs.author"]) == ("ab12", "mika")
    assert abs((event.timestamp - datetime.now(UTC)).total_seconds()) < 60


def test_runs_are_read_by_the_feeder(tmp_path: Path) -> None:
    deployment = Deployment(revision="ab12", run=7)
    tell_started(Paths(tmp_path), deployment)
    tell_ended(Paths(tmp_path), deployment, "success")
    tell_ended(Paths(tmp_path), deployment, "failure")
    events = [parse_workflow_run(origin(SourceType.GITHUB_ACTIONS), line) for line in lines(tmp_path, "github_actions")]
    assert [(event.body, event.severity) for event in events] == [
        ("workflow deploy: in_progress", Severity.INFO),
        ("workflow deploy: completed, success", Severity.INFO),
        ("workflow deploy: completed, failure", Severity.ERROR),
    ]
    assert {event.attributes["cicd.pipeline.run.id"] for event in events} == {"7"}
    assert {event.attributes["vcs.ref.head.revision"] for event in events} == {"ab12"}
    assert not any("parse.error" in event.attributes for event in events)


def test_each_deployment_is_a_run_of_its_own() -> None:
    first, second = Deployment(), Deployment()
    assert first.revision != second.revision
    assert len(first.revision) == 40
