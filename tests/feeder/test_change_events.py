from datetime import datetime

import msgspec
import pytest

from faultline.records import Severity
from feeder.change_events import parse_audit, parse_commit, parse_workflow_run

PUSH = {
    "ref": "refs/heads/main",
    "repository": {"full_name": "acme/shop"},
    "head_commit": {
        "id": "abc123",
        "message": "Fix the cart\n\nIt lost items.",
        "timestamp": "2026-01-02T03:04:05+01:00",
        "url": "https://github.com/acme/shop/commit/abc123",
        "author": {"name": "Anna", "username": "anna"},
    },
}
API_COMMIT = {
    "sha": "abc123",
    "html_url": "https://github.com/acme/shop/commit/abc123",
    "commit": {"message": "Fix", "author": {"name": "Anna", "date": "2026-01-02T03:04:05Z"}},
    "author": {"login": "anna"},
}
RUN = {
    "action": "completed",
    "repository": {"full_name": "acme/shop"},
    "workflow_run": {
        "id": 7,
        "name": "deploy",
        "status": "completed",
        "conclusion": "failure",
        "head_sha": "abc123",
        "head_branch": "main",
        "updated_at": "2026-01-02T03:04:05Z",
    },
}
CLOUDTRAIL = {
    "eventTime": "2026-01-02T03:04:05Z",
    "eventSource": "ec2.amazonaws.com",
    "eventName": "StopInstances",
    "awsRegion": "eu-central-1",
    "userIdentity": {"arn": "arn:aws:iam::1:user/anna"},
}
GCP = {
    "timestamp": "2026-01-02T03:04:05.5Z",
    "severity": "NOTICE",
    "protoPayload": {
        "methodName": "v1.compute.instances.stop",
        "serviceName": "compute.googleapis.com",
        "authenticationInfo": {"principalEmail": "anna@acme.test"},
    },
}


@pytest.fixture
def read(make_origin):
    def read(parse, fields):
        return parse(
            make_origin("github_commits"), fields if isinstance(fields, bytes) else msgspec.json.encode(fields)
        )

    return read


def test_push(read):
    event = read(parse_commit, PUSH)
    assert event.body == "Fix the cart\n\nIt lost items."
    assert event.timestamp == datetime.fromisoformat("2026-01-02T02:04:05+00:00")
    assert event.attributes["vcs.ref.head.revision"] == "abc123"
    assert event.attributes["vcs.ref.head.name"] == "refs/heads/main"
    assert event.attributes["vcs.repository.name"] == "acme/shop"
    assert event.attributes["vcs.author"] == "anna"
    assert event.attributes["url.full"] == "https://github.com/acme/shop/commit/abc123"
    assert msgspec.json.decode(event.attributes["event.payload"]) == PUSH


def test_commit_of_the_api(read):
    event = read(parse_commit, API_COMMIT)
    assert (event.body, event.attributes["vcs.author"]) == ("Fix", "Anna")
    assert event.attributes["vcs.ref.head.revision"] == "abc123"
    assert event.timestamp == datetime.fromisoformat("2026-01-02T03:04:05+00:00")


def test_flat_commit(read):
    event = read(parse_commit, {"sha": "abc", "message": "Fix", "timestamp": "soon"})
    assert (event.body, event.attributes["timestamp.unparsed"]) == ("Fix", "soon")


@pytest.mark.parametrize(
    ("conclusion", "severity"),
    [
        ("success", "INFO"),
        ("cancelled", "INFO"),
        (None, "INFO"),
        ("failure", "ERROR"),
        ("timed_out", "ERROR"),
        ("startup_failure", "ERROR"),
    ],
)
def test_workflow_run(read, conclusion, severity):
    run = RUN["workflow_run"] | {"conclusion": conclusion}
    event = read(parse_workflow_run, RUN | {"workflow_run": run})
    assert event.body == "workflow deploy: completed" + (f", {conclusion}" if conclusion else "")
    assert event.severity.value == severity
    assert event.attributes["cicd.pipeline.run.id"] == "7"
    assert event.attributes["vcs.repository.name"] == "acme/shop"
    assert event.timestamp == datetime.fromisoformat("2026-01-02T03:04:05+00:00")


def test_flat_workflow_run_without_outcome(read):
    event = read(parse_workflow_run, {"name": "deploy", "created_at": "2026-01-02T03:04:05Z"})
    assert event.body == "workflow deploy"
    assert event.timestamp == datetime.fromisoformat("2026-01-02T03:04:05+00:00")


def test_cloudtrail(read):
    event = read(parse_audit, CLOUDTRAIL)
    assert event.body == "ec2.amazonaws.com StopInstances"
    assert event.severity is Severity.INFO
    assert event.attributes["cloud.region"] == "eu-central-1"
    assert event.attributes["user.name"] == "arn:aws:iam::1:user/anna"


def test_cloudtrail_error(read):
    event = read(parse_audit, CLOUDTRAIL | {"errorCode": "AccessDenied"})
    assert event.body == "ec2.amazonaws.com StopInstances failed: AccessDenied"
    assert (event.severity, event.attributes["error.type"]) == (Severity.ERROR, "AccessDenied")


def test_google_audit_log(read):
    event = read(parse_audit, GCP)
    assert event.body == "compute.googleapis.com v1.compute.instances.stop"
    assert (event.severity, event.attributes["user.name"]) == (Severity.INFO, "anna@acme.test")


def test_google_audit_log_with_a_failed_status(read):
    failed = GCP["protoPayload"] | {"status": {"code": 7, "message": "denied"}}
    event = read(parse_audit, GCP | {"protoPayload": failed})
    assert event.body.endswith(" failed: denied")
    assert event.severity is Severity.ERROR


@pytest.mark.parametrize("severity", ["CRITICAL", "WARNING"])
def test_google_severity_is_kept_when_nothing_failed(read, severity):
    assert read(parse_audit, GCP | {"severity": severity}).severity.value in ("FATAL", "WARN")


BAD = {
    "commit: not json": (parse_commit, b"commit abc123", "JSON is malformed"),
    "commit: deleted branch": (parse_commit, PUSH | {"head_commit": None}, "no commit message"),
    "commit: message no text": (parse_commit, {"message": ["x"]}, "no commit message"),
    "commit: head_commit no object": (parse_commit, {"head_commit": "abc"}, "no commit message"),
    "run: list": (parse_workflow_run, b"[]", "Expected `object`"),
    "run: no name": (parse_workflow_run, {"workflow_run": {"id": 7}}, "no workflow name"),
    "run: name no text": (parse_workflow_run, {"workflow_run": {"name": 7}}, "no workflow name"),
    "audit: blank": (parse_audit, b"", "Input data was truncated"),
    "audit: no action": (parse_audit, {"eventTime": "2026-01-02T03:04:05Z"}, "no eventName and no protoPayload"),
    "audit: payload no object": (parse_audit, {"protoPayload": "x"}, "no eventName and no protoPayload"),
}


@pytest.mark.parametrize(("parse", "fields", "error"), BAD.values(), ids=BAD)
def test_bad_line_is_its_own_body(read, parse, fields, error):
    event = read(parse, fields)
    assert event.body == (fields if isinstance(fields, bytes) else msgspec.json.encode(fields)).decode()
    assert error in event.attributes["parse.error"]


WRONG_TYPES = {
    "author no object": (parse_commit, {"message": "x", "author": "anna", "repository": [1], "timestamp": {}}),
    "conclusion a list": (parse_workflow_run, {"name": "x", "conclusion": ["failure"], "id": {"a": 1}}),
    "status an object": (parse_workflow_run, {"name": "x", "status": {"a": 1}}),
    "action a list": (parse_audit, {"eventName": ["x"], "eventSource": 7, "errorCode": [1], "severity": [2]}),
}


@pytest.mark.parametrize(("parse", "fields"), WRONG_TYPES.values(), ids=WRONG_TYPES)
def test_wrong_types_beside_the_message_are_kept_in_the_payload(read, parse, fields):
    assert msgspec.json.decode(read(parse, fields).attributes["event.payload"]) == fields


@pytest.mark.parametrize("year", [1970, 2099])
def test_time_of_a_wrong_clock_is_kept(read, year):
    assert read(parse_audit, CLOUDTRAIL | {"eventTime": f"{year}-01-02T03:04:05Z"}).timestamp.year == year
