"""What to read: the sources file, checked before anything is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Final

import httpx
import yaml

from faultline.config import Environ, Paths, Ports
from faultline.errors import ConfigError
from faultline.records import Event, SourceType
from feeder import app_container_log, change_events, nginx_access, nginx_error
from feeder.origin import Origin

LineParser = Callable[[Origin, bytes], Event]

POLLED: Final = (SourceType.FASTAPI_STATUS, SourceType.APP_CONTAINER_METRICS)
# First format is the default of its source type.
PARSERS: Final[Mapping[SourceType, Mapping[str, LineParser]]] = {
    SourceType.APP_CONTAINER_LOG: {"json": app_container_log.parse_json, "plain": app_container_log.parse_plain},
    SourceType.NGINX_ACCESS: {"nginx_json": nginx_access.parse_json, "combined": nginx_access.parse_combined},
    SourceType.NGINX_ERROR: {"nginx_error": nginx_error.parse},
    SourceType.GITHUB_COMMITS: {"json": change_events.parse_commit},
    SourceType.GITHUB_ACTIONS: {"json": change_events.parse_workflow_run},
    SourceType.PUBLIC_CLOUD: {"json": change_events.parse_audit},
}
FILE_NAME: Final = "@file"
MAX_NAME: Final = 256  # characters of a service's name in a record


@dataclass(frozen=True)
class FileSource:
    """Files to tail."""

    source_type: SourceType
    pattern: str
    service_name: str  # FILE_NAME: each file's name up to its first dot
    parser: LineParser
    from_end: bool

    def service_of(self, path: str) -> str:
        """Return the service a file belongs to."""
        if self.service_name != FILE_NAME:
            return self.service_name
        return Path(path).name.lstrip(".").split(".")[0] or "unknown"


@dataclass(frozen=True)
class PolledSource:
    """A page to fetch again and again."""

    source_type: SourceType
    url: str
    service_name: str
    interval_seconds: float


def read_sources(path: Path, environ: Environ) -> tuple[list[FileSource], list[PolledSource]]:
    """Read the sources file; raises ConfigError naming file, entry, key, what was got and what is expected."""
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError("FAULTLINE_SOURCES", str(path), f"a readable YAML file ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), str(error), "YAML") from error
    entries = content.get("sources") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise ConfigError(f"{path}: key 'sources'", entries, "a list of sources, see demo/sources.yaml")
    names = _names(environ)
    files: list[FileSource] = []
    polled: list[PolledSource] = []
    for number, entry in enumerate(entries, 1):
        source = _Entry(f"{path}: entry {number}", entry, names).source()
        if isinstance(source, FileSource):
            files.append(source)
        else:
            polled.append(source)
    return files, polled


def _names(environ: Environ) -> dict[str, str]:
    ports = {f"PORT_{name.upper()}": str(port) for name, port in vars(Ports.from_env(environ)).items()}
    return {"FAULTLINE_WATCHED": str(Paths.from_env(environ).watched_logs), **ports, **environ}


def _is_url(text: str) -> bool:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        return False
    return url.scheme in ("http", "https") and bool(url.host) and 0 < (url.port or 80) <= 65535


class _Entry:
    def __init__(self, where: str, entry: object, names: Mapping[str, str]) -> None:
        if not isinstance(entry, dict):
            raise ConfigError(where, entry, "a mapping with source_type, service_name and path or url")
        self._where = where
        self._entry: dict[str, Any] = entry
        self._names = names

    def source(self) -> FileSource | PolledSource:
        kind = self._source_type()
        return self._polled(kind) if kind in POLLED else self._file(kind)

    def _source_type(self) -> SourceType:
        value = self._text("source_type")
        if value not in list(SourceType):
            raise ConfigError(f"{self._where}: key 'source_type'", value, f"one of {', '.join(SourceType)}")
        return SourceType(value)

    def _file(self, kind: SourceType) -> FileSource:
        self._refuse_unknown("source_type", "service_name", "path", "format", "read_from")
        parsers = PARSERS[kind]
        form = self._choice("format", *parsers)
        from_end = self._choice("read_from", "beginning", "end") == "end"
        return FileSource(kind, self._text("path"), self._service_name(), parsers[form], from_end)

    def _polled(self, kind: SourceType) -> PolledSource:
        self._refuse_unknown("source_type", "service_name", "url", "interval_seconds")
        url = self._text("url")
        if not _is_url(url):
            raise ConfigError(f"{self._where}: key 'url'", url, "http:// or https:// with a host")
        interval = self._entry.get("interval_seconds", 5)
        if isinstance(interval, bool) or not isinstance(interval, int | float) or not 0.1 <= interval <= 86400:
            raise ConfigError(f"{self._where}: key 'interval_seconds'", interval, "a number from 0.1 to 86400")
        return PolledSource(kind, url, self._service_name(), float(interval))

    def _service_name(self) -> str:
        name = self._text("service_name")
        if len(name) > MAX_NAME:
            raise ConfigError(f"{self._where}: key 'service_name'", name, f"at most {MAX_NAME} characters")
        return name

    def _text(self, key: str) -> str:
        value = self._entry.get(key)
        if not isinstance(value, str) or not value:
            raise ConfigError(f"{self._where}: key '{key}'", value, "text")
        try:
            return Template(value).substitute(self._names)
        except (KeyError, ValueError) as error:
            raise ConfigError(f"{self._where}: key '{key}'", value, f"names that are set ({error})") from error

    def _choice(self, key: str, *choices: str) -> str:
        value = self._entry.get(key, choices[0])
        if value not in choices:
            raise ConfigError(f"{self._where}: key '{key}'", value, f"one of {', '.join(choices)}")
        return str(value)

    def _refuse_unknown(self, *known: str) -> None:
        for key in self._entry:
            if key not in known:
                raise ConfigError(
                    f"{self._where}: key {key!r}", self._entry[key], f"one of the keys {', '.join(known)}"
                )
