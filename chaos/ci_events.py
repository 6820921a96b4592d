"""What a repository and its pipeline tell of a deployment: webhooks of GitHub, where the feeder reads them."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import time_ns
from typing import Any, Final

from faultline.config import Paths

REPOSITORY_NAME: Final = "example/shop"
BRANCH: Final = "main"
WORKFLOW: Final = "deploy"


@dataclass(frozen=True)
class Deployment:
    """One run of the pipeline, and the commit that it brings out."""

    revision: str = field(default_factory=lambda: secrets.token_hex(20))
    run: int = field(default_factory=lambda: time_ns() // 1_000_000)  # run ids grow


def tell_commit(paths: Paths, deployment: Deployment, message: str, author: str) -> None:
    """Append the push of a commit."""
    commit = {
        "id": deployment.revision,
        "message": message,
        "timestamp": _now(),
        "url": f"https://github.com/{REPOSITORY_NAME}/commit/{deployment.revision}",
        "author": {"name": author, "username": author.lower()},
    }
    push = {"ref": f"refs/heads/{BRANCH}", "repository": {"full_name": REPOSITORY_NAME}, "head_commit": commit}
    _append(paths, "github_commits", push)


def tell_started(paths: Paths, deployment: Deployment) -> None:
    """Append the begin of the pipeline's run."""
    _tell_run(paths, deployment, "in_progress", None)


def tell_ended(paths: Paths, deployment: Deployment, conclusion: str) -> None:
    """Append the end of the pipeline's run; `conclusion` is success or failure."""
    _tell_run(paths, deployment, "completed", conclusion)


def _tell_run(paths: Paths, deployment: Deployment, status: str, conclusion: str | None) -> None:
    run = {
        "id": deployment.run,
        "name": WORKFLOW,
        "status": status,
        "conclusion": conclusion,
        "head_sha": deployment.revision,
        "head_branch": BRANCH,
        "updated_at": _now(),
    }
    event = {"action": status, "repository": {"full_name": REPOSITORY_NAME}, "workflow_run": run}
    _append(paths, "github_actions", event)


def _append(paths: Paths, source: str, event: dict[str, Any]) -> None:
    file: Path = paths.watched_logs / "events" / f"{source}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(event) + "\n")  # one write: a reader never sees half a line


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
