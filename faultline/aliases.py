"""What an alias of the model registry points at, read without MLflow.

A stream looks every few seconds. Importing MLflow would hold its driver up for 3 s and cost it 200 MB; one row of a
table, or one request, does not. tests/faultline/test_registry.py holds this to what MLflow itself answers.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from faultline.errors import RegistryUnavailable

MODEL: Final = "faultline"  # name of the registered model; its versions are whole model folders
CONTENT: Final = "content_version"  # tag of a version: the name of its folder
SQLITE: Final = "sqlite:///"
TIMEOUT_SECONDS: Final = 5.0

_QUERY = """
    SELECT v.version, t.value, v.source
    FROM registered_model_aliases AS a
    JOIN model_versions AS v ON v.name = a.name AND v.version = a.version AND v.workspace = a.workspace
    LEFT JOIN model_version_tags AS t
        ON t.name = v.name AND t.version = v.version AND t.workspace = v.workspace AND t.key = ?
    WHERE a.name = ? AND a.alias = ?
"""


@dataclass(frozen=True)
class ModelVersion:
    """One version of the registered model."""

    number: int
    content: str  # 12 hex digits: the version in its manifest, and the name of its folder
    source: str  # where its files are, as a URI


def read_version(uri: str, alias: str) -> ModelVersion | None:
    """Return what an alias points at in the registry at `sqlite:///PATH` or `http(s)://...`, None when at nothing.

    Costs a fraction of a millisecond, or one request. Raises RegistryUnavailable when there is no answer.
    """
    return _from_file(Path(uri.removeprefix(SQLITE)), alias) if uri.startswith(SQLITE) else _from_server(uri, alias)


def _from_file(path: Path, alias: str) -> ModelVersion | None:
    if not path.is_file():
        return None  # nothing was ever registered
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=TIMEOUT_SECONDS)) as base:
            row = base.execute(_QUERY, (CONTENT, MODEL, alias)).fetchone()
    except sqlite3.Error as error:
        text = f"{path}: cannot read alias {alias!r} ({error}), expected the database of MLflow; ./run models checks it"
        raise RegistryUnavailable(text) from error
    return None if row is None else ModelVersion(int(row[0]), row[1] or "", row[2])


def _from_server(uri: str, alias: str) -> ModelVersion | None:
    import httpx

    url = f"{uri.rstrip('/')}/api/2.0/mlflow/registered-models/alias"
    try:
        answer = httpx.get(url, params={"name": MODEL, "alias": alias}, timeout=TIMEOUT_SECONDS)
        found: dict[str, Any] = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        text = f"{uri}: no answer of an MLflow server ({error!r}); start it, or correct FAULTLINE_MLFLOW"
        raise RegistryUnavailable(text) from error
    if answer.status_code in (400, 404) and re.search("not found", found.get("message", "")):
        return None
    if answer.status_code != 200:
        raise RegistryUnavailable(f"{url}: status {answer.status_code}, {found.get('message')!r}, expected 200")
    version = found["model_version"]
    tags = {tag["key"]: tag.get("value", "") for tag in version.get("tags", ())}
    return ModelVersion(int(version["version"]), tags.get(CONTENT, ""), version["source"])
