"""Every setting, read once from a mapping that is passed in: one frozen dataclass per component.

Environment over default; no file is read here. A bad value raises ConfigError before anything connects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Self

from faultline.artifact import CHAMPION
from faultline.errors import ConfigError
from faultline.settings import aware_time, one_of, read, read_alias, read_float, read_int, read_session_pattern

REPOSITORY = Path(__file__).resolve().parent.parent
Environ = Mapping[str, str]


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
    storefront_orders: int = 8112  # the proxy between two services: caller, callee
    orders_payments: int = 8113
    orders_inventory: int = 8114
    prometheus: int = 9090
    alertmanager: int = 9093
    node_exporter: int = 9100
    feeder: int = 9108
    stream: int = 9109
    incidents: int = 8110
    mlflow: int = 5000

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
    def mlflow(self) -> Path:
        """The embedded model registry: its database, and the artifacts beside it."""
        return self.home / "mlflow"

    @property
    def checkpoints(self) -> Path:
        return self.home / "checkpoints"

    @property
    def datasets(self) -> Path:
        return self.home / "datasets"

    @property
    def reports(self) -> Path:
        """What is written for people: beside the code, unless FAULTLINE_HOME lies elsewhere."""
        return (REPOSITORY if self.home.parent == REPOSITORY else self.home) / "reports"


@dataclass(frozen=True)
class Topics:
    """Names as declared in kafka/topics.yaml."""

    logs: str = "logs"
    dead_letter: str = "logs-dead-letter"
    anomalies: str = "anomalies"
    changes: str = "changes"
    incidents: str = "incidents"
    feedback: str = "feedback"

    @classmethod
    def from_env(cls, environ: Environ) -> Self:
        return cls(
            logs=environ.get("FAULTLINE_TOPIC_LOGS", cls.logs),
            dead_letter=environ.get("FAULTLINE_TOPIC_DEAD_LETTER", cls.dead_letter),
            anomalies=environ.get("FAULTLINE_TOPIC_ANOMALIES", cls.anomalies),
            changes=environ.get("FAULTLINE_TOPIC_CHANGES", cls.changes),
            incidents=environ.get("FAULTLINE_TOPIC_INCIDENTS", cls.incidents),
            feedback=environ.get("FAULTLINE_TOPIC_FEEDBACK", cls.feedback),
        )


def kafka_bootstrap(environ: Environ) -> str:
    """Return `host:port` of the broker: FAULTLINE_KAFKA, or the embedded one."""
    return environ.get("FAULTLINE_KAFKA", f"127.0.0.1:{Ports.from_env(environ).kafka}")


def registry_uri(environ: Environ) -> str:
    """Return where MLflow keeps runs and models: FAULTLINE_MLFLOW, or a SQLite file below FAULTLINE_HOME."""
    return environ.get("FAULTLINE_MLFLOW", f"sqlite:///{Paths.from_env(environ).mlflow / 'mlflow.db'}")


def models_folder(environ: Environ) -> Path:
    """Return the folder of model versions: FAULTLINE_MODELS, or that below FAULTLINE_HOME."""
    return Path(environ.get("FAULTLINE_MODELS", str(Paths.from_env(environ).models)))


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
    model: Path  # the model of a stream that follows no alias; else the local mirror of the alias
    follows_champion: bool  # false: FAULTLINE_MODEL names one model, and the registry is not asked
    models: Path
    champion_poll_seconds: float
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
            model=Path(environ.get("FAULTLINE_MODEL", str(models_folder(environ) / CHAMPION))),
            follows_champion="FAULTLINE_MODEL" not in environ,
            models=models_folder(environ),
            champion_poll_seconds=read_float(environ, "FAULTLINE_CHAMPION_POLL_SECONDS", 5.0, 0.1),
            checkpoint=Path(environ.get("FAULTLINE_CHECKPOINT", str(paths.checkpoints / "inference"))),
            metrics_port=Ports.from_env(environ).stream,
            trigger_seconds=read_float(environ, "FAULTLINE_TRIGGER_SECONDS", 0.0),
            # Bounds one micro-batch, and with it memory and the time to a clean stop.
            max_offsets_per_trigger=read_int(environ, "FAULTLINE_MAX_OFFSETS_PER_TRIGGER", 100_000, 1),
            starting_offsets=read(
                environ, "FAULTLINE_STARTING_OFFSETS", "earliest", one_of("earliest", "latest"), "earliest or latest"
            ),
            once=read(environ, "FAULTLINE_ONCE", "0", one_of("0", "1"), "0 or 1") == "1",
        )

    @property
    def activations(self) -> Path:
        """Beside the checkpoint, as its batches are what it decides about; Spark would not know it inside."""
        return self.checkpoint.with_name(self.checkpoint.name + ".models")


@dataclass(frozen=True)
class TrainConfig:
    """Settings of the preprocessing and training jobs."""

    bootstrap: str
    topics: Topics
    dataset: Path  # Parquet of counted masked lines
    facts: Path  # Parquet of what services did in each second
    sessions: Path  # Parquet of what sessions were made of
    session_pattern: str  # finds the key of a session in a line's text; empty: only ids in fields tie lines together
    models: Path  # one folder per version, and a pointer per alias
    encoder: str  # a name of spark/models/encoders.py, or a folder of weights
    semantic_arm: str  # how lines are compared: by meaning (minilm) or by words (lexical)
    alias: str  # what the new model becomes
    base_alias: str  # the model that a later step of training starts from
    calibration_fraction: float
    false_alarms_per_day: float
    since: datetime | None  # learn only from records the broker took at or after this time
    parameters: Path | None  # what the job tune found best; nothing of it is used unless it is named here

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
            facts=Path(environ.get("FAULTLINE_FACTS", str(paths.datasets / "structured"))),
            sessions=Path(environ.get("FAULTLINE_SESSIONS", str(paths.datasets / "sessions"))),
            session_pattern=read_session_pattern(environ, "FAULTLINE_SESSION_PATTERN"),
            models=models_folder(environ),
            encoder=environ.get("FAULTLINE_ENCODER", "all-MiniLM-L6-v2"),
            semantic_arm=read(
                environ, "FAULTLINE_SEMANTIC_ARM", "minilm", one_of("minilm", "lexical"), "minilm or lexical"
            ),
            alias=read_alias(environ, "FAULTLINE_ALIAS", CHAMPION),
            base_alias=read_alias(environ, "FAULTLINE_BASE_ALIAS", CHAMPION),
            calibration_fraction=fraction,
            false_alarms_per_day=read_float(environ, "FAULTLINE_FALSE_ALARMS_PER_DAY", 1.0, 1e-6),
            since=read(environ, "FAULTLINE_TRAIN_SINCE", None, aware_time, "a time with zone, 2026-01-31T12:00:00Z"),
            parameters=read(environ, "FAULTLINE_PARAMETERS", None, Path, "a file that the job tune wrote"),
        )

    @property
    def base(self) -> Path:
        """Folder of the model that structure_train adds to."""
        return self.models / self.base_alias

    @property
    def budget_per_detector(self) -> float:
        """False alarms a day for each of the three detectors: together they keep to the user's budget."""
        return self.false_alarms_per_day / 3
