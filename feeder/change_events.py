"""Change events as JSON lines: GitHub commits, GitHub Actions runs, cloud audit logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from faultline.records import Event, Severity
from feeder.json_line import read_object
from feeder.origin import Origin, make_event, plain_event, severity_of

_FAILED_RUNS: Final = frozenset({"failure", "timed_out", "startup_failure"})


def parse_commit(origin: Origin, line: bytes) -> Event:
    """Return the record of a push webhook or of a commit as the API gives it; body is the commit's message."""
    fields = read_object(line)
    if isinstance(fields, str):
        return plain_event(origin, line, fields)
    commit = _at(fields, "head_commit") or _at(fields, "commit") or fields
    message = commit.get("message")
    if not isinstance(message, str):
        return plain_event(origin, line, "no commit message under head_commit, commit or at the top")
    author = _at(commit, "author")
    attributes = {
        "vcs.ref.head.revision": commit.get("id") or fields.get("sha"),
        "vcs.ref.head.name": fields.get("ref"),
        "vcs.repository.name": _at(fields, "repository").get("full_name"),
        "vcs.author": author.get("username") or author.get("name"),
        "url.full": commit.get("url") or fields.get("html_url"),
    }
    moment = commit.get("timestamp") or author.get("date")
    return _whole(origin, line, fields, message, moment, Severity.INFO, attributes)


def parse_workflow_run(origin: Origin, line: bytes) -> Event:
    """Return the record of a workflow_run event; body is "workflow NAME: status, conclusion"."""
    fields = read_object(line)
    if isinstance(fields, str):
        return plain_event(origin, line, fields)
    run = _at(fields, "workflow_run") or fields
    if not isinstance(run.get("name"), str):
        return plain_event(origin, line, "no workflow name under workflow_run or at the top")
    outcome = ", ".join(str(run[key]) for key in ("status", "conclusion") if run.get(key))
    attributes = {
        "cicd.pipeline.name": run["name"],
        "cicd.pipeline.run.id": run.get("id"),
        "cicd.pipeline.result": run.get("conclusion"),
        "vcs.ref.head.revision": run.get("head_sha"),
        "vcs.ref.head.name": run.get("head_branch"),
        "vcs.repository.name": _at(fields, "repository").get("full_name"),
    }
    severity = Severity.ERROR if str(run.get("conclusion")) in _FAILED_RUNS else Severity.INFO
    body = f"workflow {run['name']}: {outcome}" if outcome else f"workflow {run['name']}"
    return _whole(origin, line, fields, body, run.get("updated_at") or run.get("created_at"), severity, attributes)


def parse_audit(origin: Origin, line: bytes) -> Event:
    """Return the record of a cloud audit event in the layout of AWS CloudTrail or of Google Cloud audit logs."""
    fields = read_object(line)
    if isinstance(fields, str):
        return plain_event(origin, line, fields)
    payload = _at(fields, "protoPayload")
    action = fields.get("eventName") or payload.get("methodName")
    service = fields.get("eventSource") or payload.get("serviceName")
    if not action:
        return plain_event(origin, line, "no eventName and no protoPayload.methodName")
    error = fields.get("errorCode") or _at(payload, "status").get("message")
    attributes = {
        "cloud.action": action,
        "cloud.service": service,
        "cloud.region": fields.get("awsRegion"),
        "user.name": _at(fields, "userIdentity").get("arn") or _at(payload, "authenticationInfo").get("principalEmail"),
        "error.type": fields.get("errorCode"),
    }
    level = severity_of(fields.get("severity"))
    severity = Severity.ERROR if error else level if level is not Severity.UNSPECIFIED else Severity.INFO
    body = f"{service or 'cloud'} {action}" + (f" failed: {error}" if error else "")
    return _whole(origin, line, fields, body, fields.get("eventTime") or fields.get("timestamp"), severity, attributes)


def _whole(  # noqa: PLR0913, PLR0917 - the parts of a record
    origin: Origin,
    line: bytes,
    fields: Mapping[str, Any],
    body: str,
    moment: object,
    severity: Severity,
    attributes: Mapping[str, object],
) -> Event:
    """Keep the payload whole beside the named attributes: a webhook has more than we name."""
    kept = {**attributes, "event.payload": dict(fields)}
    return make_event(origin, line, body, timestamp=moment, severity=severity, attributes=kept)


def _at(fields: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = fields.get(key)
    return value if isinstance(value, dict) else {}
