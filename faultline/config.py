"""Every setting, read once from a mapping that is passed in: one frozen dataclass per component.

Environment over default; no file is read here. A bad value raises ConfigError before anything connects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from math import inf
from pathlib import Path
from typing import Self, TypeVar

from faultline.errors import ConfigError

REPOSITORY = Path(__file__).resolve().parent.parent
Environ = Mapping[str, str]
T = TypeVar("T")


def read(environ: Environ, key: str, default: T, parse: Callable[[str], T], expected: str) -> T:
    """Return `parse(environ[key])`, or the default when unset; ConfigError names key, value, expected."""
    text = environ.get(key)
    if text is None:
        return default
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigError(key, text, expected) from error


N = TypeVar("N", int, float)


def _at_least(low: N, parse: Callable[[str], N]) -> Callable[[str], N]:
    def check(text: str) -> N:
        value = parse(text)
        if not low <= value < inf:  # not-a-number fails this too
            raise ValueError(text)
        return value

    return check


def read_int(environ: Environ, key: str, default: int, low: int = 0) -> int:
    """Return a whole number of at least `low`."""
    return read(environ, key, default, _at_least(low, int), f"a whole number, at least {low}")


def read_float(environ: Environ, key: str, default: float, low: float = 0.0) -> float:
    """Return a number of at least `low`."""
    return read(environ, key, default, _at_least(low, float), f"a number, at least {low:g}")


@dataclass(frozen=True)
class Ports:
    """TCP ports of the embedded stack, all on loopback.

    FAULTLINE_PORT_<NAME> moves one, FAULTLINE_PORT_OFFSET moves all of them.
    """

    kafka: int = 9092
    kafka_controller: int = 19092
    nginx: int = 8080
    storefront: int = 8101
    orders: int = 8102
    payments: int = 8103
    inventory: int = 8104
    prometheus: int = 9090
    alertmanager: int = 9093
    node_exporter: int = 9100
    feeder: int = 9108
    stream: int = 9109

    @classmethod
    def from_env(cls, environ: Environ) -> Self:
        offset = read_int(environ, "FAULTLINE_PORT_OFFSET", 0)
        values = {
            field.name: read_int(environ, f"FAULTLINE_PORT_{field.name.upper()}", int(str(field.default)) + offset, 1)
            for field in fields(cls)
        }
        for name, port in values.items():
            if port > 65535:
                raise ConfigError(f"port of {name}", port, "at most 65535")
        return cls(**values)


@dataclass(frozen=True)
class Paths:
    """Folders below FAULTLINE_HOME (default `.faultline` in the repository); nothing is written elsewhere."""

    home: Path

    @classmethod
    def from_env(cls, environ: Environ) -> Self:
        return cls(Path(environ.get("FAULTLINE_HOME", str(REPOSITORY / ".faultline"))).resolve())

    @property
    def logs(self) -> Path:
        """What our own components print."""
        return self.home / "log"

    @property
    def watched_logs(self) -> Path:
        """What the demo shop and nginx write: the pipeline's input."""
        return self.home / "watched"

    @property
    def run(self) -> Path:
        """Rendered configuration, sockets, process ids."""
        return self.home / "run"

    @property
    def jars(self) -> Path:
        return self.home / "jars"

    @property
    def models(self) -> Path:
        return self.home / "models"

    @property
    def checkpoints(self) -> Path:
        return self.home / "checkpoints"

    @property
    def datasets(self) -> Path:
        return self.home / "datasets"


@dataclass(frozen=True)
class Topics:
    """Names as declared in kafka/topics.yaml."""

    logs: str = "logs"
    dead_letter: str = "logs-dead-letter"
    anomalies: str = "anomalies"

    @classmethod
    def from_env(cls, environ: Environ) -> Self:
        return cls(
            logs=environ.get("FAULTLINE_TOPIC_LOGS", cls.logs),
            dead_letter=environ.get("FAULTLINE_TOPIC_DEAD_LETTER", cls.dead_letter),
            anomalies=environ.get("FAULTLINE_TOPIC_ANOMALIES", cls.anomalies),
        )


def kafka_bootstrap(environ: Environ) -> str:
    """Return `host:port` of the broker: FAULTLINE_KAFKA, or the embedded one."""
    return environ.get("FAULTLINE_KAFKA", f"127.0.0.1:{Ports.from_env(environ).kafka}")


def _max_line_bytes(environ: Environ) -> int:
    value = read_int(environ, "FAULTLINE_MAX_LINE_BYTES", 256 * 1024, 1024)
    if value > 2 * 1024 * 1024:
        raise ConfigError("FAULTLINE_MAX_LINE_BYTES", value, "at most 2097152 (2 MiB)")
    return value


@dataclass(frozen=True)
class FeederConfig:
    """Settings of the feeder."""

    bootstrap: str
    topics: Topics
    sources: Path  # YAML, see demo/sources.yaml
    state: Path  # offsets of what the broker has acknowledged
    host_name: str
    metrics_port: int
    max_line_bytes: int
    poll_seconds: float

    @classmethod
    def from_env(cls, environ: Environ) -> Self:
        paths = Paths.from_env(environ)
        return cls(
            bootstrap=kafka_bootstrap(environ),
            topics=Topics.from_env(environ),
            sources=Path(environ.get("FAULTLINE_SOURCES", str(REPOSITORY / "demo" / "sources.yaml"))),
            state=paths.home / "feeder" / "offsets.json",
            host_name=environ.get("FAULTLINE_HOST_NAME", "localhost"),
            metrics_port=Ports.from_env(environ).feeder,
            # Escaped control characters grow six times: 256 KiB stays below the topic's message limit. A piece of a
            # longer line goes to logs-dead-letter as it is, so that limit bounds the setting, too.
            max_line_bytes=_max_line_bytes(environ),
            poll_seconds=read_float(environ, "FAULTLINE_FEEDER_POLL_SECONDS", 0.1, 0.01),
        )


@dataclass(frozen=True)
class StreamConfig:
    """Settings of the streaming job."""

    bootstrap: str
    topics: Topics
    model: Path
    checkpoint: Path
    metrics_port: int
    trigger_seconds: float
    max_offsets_per_trigger: int
    starting_offsets: str
    once: bool  # score what the topic holds now, then end; else follow it

    @classmethod
    def from_env(cls, environ: Environ) -> Self:
        paths = Paths.from_env(environ)
        return cls(
            bootstrap=kafka_bootstrap(environ),
            topics=Topics.from_env(environ),
            model=Path(environ.get("FAULTLINE_MODEL", str(paths.models / "semantic" / "champion"))),
            checkpoint=Path(environ.get("FAULTLINE_CHECKPOINT", str(paths.checkpoints / "semantic_inference"))),
            metrics_port=Ports.from_env(environ).stream,
            trigger_seconds=read_float(environ, "FAULTLINE_TRIGGER_SECONDS", 0.0),
            # Bounds one micro-batch, and with it memory and the time to a clean stop.
            max_offsets_per_trigger=read_int(environ, "FAULTLINE_MAX_OFFSETS_PER_TRIGGER", 100_000, 1),
            starting_offsets=read(
                environ, "FAULTLINE_STARTING_OFFSETS", "earliest", _one_of("earliest", "latest"), "earliest or latest"
            ),
            once=read(environ, "FAULTLINE_ONCE", "0", _one_of("0", "1"), "0 or 1") == "1",
        )


def _aware_time(text: str) -> datetime | None:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment


def _one_of(*choices: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in choices:
            raise ValueError(text)
        return text

    return check


@dataclass(frozen=True)
class TrainConfig:
    """Settings of semantic_preprocessing and semantic_train."""

    bootstrap: str
    topics: Topics
    dataset: Path  # Parquet of counted masked lines
    models: Path  # one folder per version, and the pointer `champion`
    calibration_fraction: float
    false_alarms_per_day: float
    since: datetime | None  # learn only from records the broker took at or after this time

    @classmethod
    def from_env(cls, environ: Environ) -> Self:
        paths = Paths.from_env(environ)
        fraction = read_float(environ, "FAULTLINE_CALIBRATION_FRACTION", 0.3, 0.05)
        if fraction > 0.9:
            raise ConfigError("FAULTLINE_CALIBRATION_FRACTION", fraction, "at most 0.9")
        return cls(
            bootstrap=kafka_bootstrap(environ),
            topics=Topics.from_env(environ),
            dataset=Path(environ.get("FAULTLINE_DATASET", str(paths.datasets / "semantic"))),
            models=Path(environ.get("FAULTLINE_MODELS", str(paths.models / "semantic"))),
            calibration_fraction=fraction,
            false_alarms_per_day=read_float(environ, "FAULTLINE_FALSE_ALARMS_PER_DAY", 1.0, 1e-6),
            since=read(environ, "FAULTLINE_TRAIN_SINCE", None, _aware_time, "a time with zone, 2026-01-31T12:00:00Z"),
        )
