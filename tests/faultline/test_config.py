"""Settings come from the mapping that is passed in; a bad value is refused with key, value and expectation."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from faultline.config import REPOSITORY, FeederConfig, Paths, Ports, StreamConfig, Topics, TrainConfig, kafka_bootstrap
from faultline.errors import ConfigError


def test_defaults_need_no_environment() -> None:
    stream, train, feeder = StreamConfig.from_env({}), TrainConfig.from_env({}), FeederConfig.from_env({})
    assert stream.bootstrap == train.bootstrap == feeder.bootstrap == "127.0.0.1:9092"
    assert stream.topics == Topics(logs="logs", dead_letter="logs-dead-letter", anomalies="anomalies")
    assert stream.model == REPOSITORY / ".faultline" / "models" / "champion"
    assert (train.calibration_fraction, train.false_alarms_per_day, train.since) == (0.3, 1.0, None)
    assert feeder.state.is_relative_to(REPOSITORY / ".faultline")


def test_home_moves_everything_that_is_written(tmp_path: Path) -> None:
    environ = {"FAULTLINE_HOME": str(tmp_path)}
    stream, train = StreamConfig.from_env(environ), TrainConfig.from_env(environ)
    for path in (stream.model, stream.checkpoint, train.dataset, train.models, FeederConfig.from_env(environ).state):
        assert path.is_relative_to(tmp_path)


def test_a_relative_home_becomes_absolute() -> None:
    assert Paths.from_env({"FAULTLINE_HOME": "here"}).home == Path("here").resolve()


def test_port_offset_moves_all_ports_and_a_single_one_wins() -> None:
    ports = Ports.from_env({"FAULTLINE_PORT_OFFSET": "1000", "FAULTLINE_PORT_NGINX": "8888"})
    assert (ports.kafka, ports.stream, ports.nginx) == (10092, 10109, 8888)
    assert kafka_bootstrap({"FAULTLINE_PORT_OFFSET": "1000"}) == "127.0.0.1:10092"


def test_topics_and_broker_are_settable() -> None:
    environ = {"FAULTLINE_TOPIC_LOGS": "a", "FAULTLINE_TOPIC_DEAD_LETTER": "b", "FAULTLINE_TOPIC_ANOMALIES": "c"}
    assert Topics.from_env(environ) == Topics("a", "b", "c", "changes", "incidents", "feedback")
    assert kafka_bootstrap({"FAULTLINE_KAFKA": "broker:9092"}) == "broker:9092"


@pytest.mark.parametrize(
    ("given", "pattern"),
    [(r"blk_-?\d+", r"(?P<key>blk_-?\d+)"), (r"block (?P<key>\w+)", r"block (?P<key>\w+)"), ("", "")],
)
def test_the_pattern_of_session_keys_has_a_group_of_that_name(given: str, pattern: str) -> None:
    assert TrainConfig.from_env({"FAULTLINE_SESSION_PATTERN": given}).session_pattern == pattern


def test_three_detectors_share_the_budget() -> None:
    assert TrainConfig.from_env({"FAULTLINE_FALSE_ALARMS_PER_DAY": "6"}).budget_per_detector == 2.0


def test_a_time_with_zone_is_read() -> None:
    since = TrainConfig.from_env({"FAULTLINE_TRAIN_SINCE": "2026-01-31T12:00:00Z"}).since
    assert since == datetime(2026, 1, 31, 12, tzinfo=UTC)


BAD = [
    (Ports, "FAULTLINE_PORT_OFFSET", "many", "is 'many', expected a whole number, at least 0"),
    (Ports, "FAULTLINE_PORT_OFFSET", "-1", "is '-1', expected a whole number, at least 0"),
    (Ports, "FAULTLINE_PORT_KAFKA", "0", "is '0', expected a whole number, at least 1"),
    (StreamConfig, "FAULTLINE_TRIGGER_SECONDS", "soon", "is 'soon', expected a number, at least 0"),
    (StreamConfig, "FAULTLINE_TRIGGER_SECONDS", "nan", "is 'nan', expected a number, at least 0"),
    (StreamConfig, "FAULTLINE_TRIGGER_SECONDS", "inf", "is 'inf', expected a number, at least 0"),
    (StreamConfig, "FAULTLINE_MAX_OFFSETS_PER_TRIGGER", "0", "is '0', expected a whole number, at least 1"),
    (StreamConfig, "FAULTLINE_STARTING_OFFSETS", "middle", "is 'middle', expected earliest or latest"),
    (FeederConfig, "FAULTLINE_MAX_LINE_BYTES", "1e6", "is '1e6', expected a whole number, at least 1024"),
    (FeederConfig, "FAULTLINE_FEEDER_POLL_SECONDS", "0", "is '0', expected a number, at least 0.01"),
    (TrainConfig, "FAULTLINE_FALSE_ALARMS_PER_DAY", "nan", "is 'nan', expected a number, at least 1e-06"),
    (TrainConfig, "FAULTLINE_FALSE_ALARMS_PER_DAY", "", "is '', expected a number, at least 1e-06"),
    (TrainConfig, "FAULTLINE_CALIBRATION_FRACTION", "0.95", "is 0.95, expected at most 0.9"),
    (
        TrainConfig,
        "FAULTLINE_SESSION_PATTERN",
        "(blk_)x",
        "is '(blk_)x', expected a RE2 expression; its group (?P<key>",
    ),
    (TrainConfig, "FAULTLINE_SESSION_PATTERN", "blk_[", "expected a RE2 expression"),
    (TrainConfig, "FAULTLINE_SESSION_PATTERN", r"(?P<key>a)\1", "expected a RE2 expression"),
    (TrainConfig, "FAULTLINE_TRAIN_SINCE", "yesterday", "is 'yesterday', expected a time with zone"),
    (TrainConfig, "FAULTLINE_TRAIN_SINCE", "2026-01-31T12:00:00", "expected a time with zone, 2026-01-31T12:00:00Z"),
]


@pytest.mark.parametrize(("config", "key", "value", "expected"), BAD)
def test_a_bad_value_is_refused(config: type[Ports], key: str, value: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.from_env({key: value})
    assert str(caught.value).startswith(f"{key} is ")
    assert expected in str(caught.value)
    assert caught.value.key == key


def test_a_port_beyond_the_last_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^port of kafka is 69092, expected at most 65535$"):
        Ports.from_env({"FAULTLINE_PORT_OFFSET": "60000"})
