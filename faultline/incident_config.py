"""Settings of what is done with incidents; the rest is in config.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from faultline.artifact import CHAMPION
from faultline.config import Environ, Paths, Ports, Topics, kafka_bootstrap, models_folder
from faultline.errors import ConfigError
from faultline.settings import aware_time, read, read_session_pattern

RECORDING: Final = "recording"  # folder of a run in which incident_preprocessing keeps what was seen of it
_TIME: Final = "a time with zone, 2026-01-31T12:00:00Z"


def read_catalogs(environ: Environ) -> tuple[Path, ...]:
    """Return the files or folders that FAULTLINE_CATALOG names, by `:`."""
    return tuple(Path(part) for part in environ.get("FAULTLINE_CATALOG", "").split(":") if part)


@dataclass(frozen=True)
class RecordingConfig:
    """Settings of the job that keeps what was seen of a stretch of time."""

    bootstrap: str
    topics: Topics
    model: Path  # whose templates name the lines
    session_pattern: str
    since: datetime
    until: datetime
    folder: Path

    @classmethod
    def from_env(cls, environ: Environ) -> Self:
        """Read FAULTLINE_RECORD_SINCE (needed), _UNTIL (now), FAULTLINE_RECORDING; raises ConfigError."""
        paths = Paths.from_env(environ)
        since = read(environ, "FAULTLINE_RECORD_SINCE", None, aware_time, _TIME)
        if since is None:
            raise ConfigError("FAULTLINE_RECORD_SINCE", "", f"{_TIME}: the begin of what is to be kept")
        until = read(environ, "FAULTLINE_RECORD_UNTIL", None, aware_time, _TIME) or datetime.now(since.tzinfo)
        if until <= since:
            raise ConfigError("FAULTLINE_RECORD_UNTIL", until.isoformat(), f"a time after {since.isoformat()}")
        return cls(
            bootstrap=kafka_bootstrap(environ),
            topics=Topics.from_env(environ),
            model=Path(environ.get("FAULTLINE_MODEL", str(models_folder(environ) / CHAMPION))),
            session_pattern=read_session_pattern(environ, "FAULTLINE_SESSION_PATTERN"),
            since=since,
            until=until,
            folder=Path(environ.get("FAULTLINE_RECORDING", str(paths.datasets / "recording"))),
        )


@dataclass(frozen=True)
class IncidentConfig:
    """Settings of the process that makes incidents of anomalies."""

    bootstrap: str
    topics: Topics
    model: Path
    session_pattern: str
    store: Path
    catalogs: tuple[Path, ...]
    alertmanager: str
    port: int

    @classmethod
    def from_env(cls, environ: Environ) -> Self:
        """Read FAULTLINE_CATALOG (files or folders, by `:`), _ALERTMANAGER and the rest; raises ConfigError."""
        paths, ports = Paths.from_env(environ), Ports.from_env(environ)
        return cls(
            bootstrap=kafka_bootstrap(environ),
            topics=Topics.from_env(environ),
            model=Path(environ.get("FAULTLINE_MODEL", str(models_folder(environ) / CHAMPION))),
            session_pattern=read_session_pattern(environ, "FAULTLINE_SESSION_PATTERN"),
            store=Path(environ.get("FAULTLINE_INCIDENTS", str(paths.home / "incidents" / "incidents.sqlite"))),
            catalogs=read_catalogs(environ),
            alertmanager=environ.get("FAULTLINE_ALERTMANAGER", f"http://127.0.0.1:{ports.alertmanager}"),
            port=ports.incidents,
        )


@dataclass(frozen=True)
class RootCauseEvaluationConfig:
    """Settings of experiment 3."""

    run: Path | None  # folder of a ./run chaos
    recording: Path
    catalogs: tuple[Path, ...]
    trainticket: Path | None
    encoder: Path | None  # that compares lines with the catalog; None: MiniLM as published
    out: Path

    @classmethod
    def from_env(cls, environ: Environ, public: Path) -> Self:
        """Read FAULTLINE_CHAOS_RUN, _RECORDING, _CATALOG, _TRAINTICKET, _MEANING_ENCODER and _OUT.

        By default the newest run that was recorded, and TrainTicket where it is among the `public` sets.
        """
        paths = Paths.from_env(environ)
        recorded = sorted(path.parent for path in (paths.reports / "chaos").glob(f"*/{RECORDING}"))
        run = environ.get("FAULTLINE_CHAOS_RUN") or (str(recorded[-1]) if recorded else "")
        day = environ.get("FAULTLINE_TRAINTICKET") or str(public / "nezha-trainticket")
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        return cls(
            run=Path(run) if run else None,
            recording=Path(environ.get("FAULTLINE_RECORDING", f"{run}/{RECORDING}")),
            catalogs=read_catalogs(environ),
            trainticket=Path(day) if "FAULTLINE_TRAINTICKET" in environ or Path(day).is_dir() else None,
            encoder=Path(environ["FAULTLINE_MEANING_ENCODER"]) if "FAULTLINE_MEANING_ENCODER" in environ else None,
            out=Path(environ.get("FAULTLINE_OUT", str(paths.reports / "root_cause" / now))),
        )
