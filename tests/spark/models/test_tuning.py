"""A trial learns from earlier normal sessions and is judged on later ones; a search goes on where it was stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from faultline.errors import ConfigError, TrainingDataError
from faultline.records import Event, Severity
from faultline.registry import Registry
from spark.models.parameters import Parameters
from spark.models.search import TuneConfig, search
from spark.models.tuning import CachedEmbedder, judge, load_examples, prepare, run_trial, write_examples

MakeEvent = Callable[..., Event]
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
SESSIONS = 100


@pytest.fixture
def labelled(event: MakeEvent) -> pa.Table:
    """A hundred sessions of three lines; each tenth one has a line that normal time does not know."""
    rows = []
    for number in range(SESSIONS):
        moment, label = NOON + timedelta(minutes=number), int(number % 10 == 9)
        bodies = [(f"order {number} placed", Severity.INFO), (f"charged {number} EUR", Severity.INFO)]
        bodies.append(("payments failed: refused", Severity.ERROR) if label else ("order shipped", Severity.INFO))
        for body, severity in bodies:
            made = event(body=body, severity=severity, timestamp=moment, observed_timestamp=moment)
            rows.append({"value": made.to_bytes(), "label": label, "session": f"s{number}"})
    return pa.Table.from_pylist(rows)


@pytest.fixture
def examples(labelled: pa.Table, tmp_path: Path) -> str:
    return write_examples(prepare(labelled), tmp_path / "datasets" / "tune.parquet")


def test_sessions_are_numbered_by_their_time_whatever_the_order_of_rows(labelled: pa.Table) -> None:
    backwards = labelled.take(list(range(len(labelled)))[::-1])
    assert prepare(backwards) == prepare(labelled)
    assert sum(prepare(labelled)["lines"].to_pylist()) == len(labelled)


def test_what_was_prepared_is_read(examples: str) -> None:
    found = load_examples(examples)
    assert (len(found.labels), int(found.labels.sum()), found.first_judged()) == (SESSIONS, 10, 60)
    assert {sum(lines.values()) for lines in found.lines} == {3}


def test_records_that_cannot_be_decoded_are_left_out(labelled: pa.Table) -> None:
    broken = pa.table({"value": [b"\xff"], "label": [1], "session": ["s1"]})
    assert prepare(pa.concat_tables([labelled, broken], promote_options="permissive")) == prepare(labelled)


@pytest.mark.parametrize("label", [0, 1])
def test_labels_of_one_kind_cannot_tell_trials_apart(labelled: pa.Table, label: int) -> None:
    alike = labelled.set_column(1, "label", pa.array([label] * len(labelled)))
    with pytest.raises(TrainingDataError, match=f"40 sessions to judge trials on, {40 * label} of them abnormal"):
        prepare(alike)


def test_a_trial_finds_what_is_planted(examples: str, encoder: Path) -> None:
    metrics = run_trial(examples, str(encoder), 20.0, Parameters())
    assert metrics == {"f1": 1.0, "precision": 1.0, "recall": 1.0, "false_per_10000": 0.0}


@pytest.mark.parametrize("detector", ["nearest", "mahalanobis"])
def test_trials_are_repeatable_for_every_detector(examples: str, encoder: Path, detector: str) -> None:
    point, embedder = Parameters(detector=detector), CachedEmbedder(encoder)
    first, again = (judge(load_examples(examples), embedder, 20.0, point) for _ in range(2))
    assert first == again == run_trial(examples, str(encoder), 20.0, point)


class Runner:
    """Trials that cost nothing: the larger the fraction, the better."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, points: Sequence[Parameters]) -> list[Mapping[str, float]]:
        self.batches.append(len(points))
        return [{"f1": point.calibration_fraction, "recall": 1.0} for point in points]


@pytest.fixture
def config(tmp_path: Path) -> TuneConfig:
    return TuneConfig.from_env({"FAULTLINE_HOME": str(tmp_path), "FAULTLINE_TUNE_TRIALS": "5"})


def test_a_search_goes_on_where_it_was_stopped(config: TuneConfig, registry: Registry) -> None:
    runner = Runner()
    first = search(replace(config, trials=3), registry, "f00d" * 16, runner)
    best = search(config, registry, "f00d" * 16, runner)
    assert runner.batches == [2, 1, 2]
    assert best.calibration_fraction >= first.calibration_fraction
    assert Parameters.read(config.best) == best
    search(config, registry, "f00d" * 16, runner)
    search(config, registry, "beef" * 16, runner)
    assert runner.batches == [2, 1, 2, 2, 2, 1]  # other data begins anew


def test_a_search_that_was_killed_leaves_nothing_half_done(config: TuneConfig, registry: Registry) -> None:
    def die(points: Sequence[Parameters]) -> list[Mapping[str, float]]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(config, registry, "f00d" * 16, die)
    runner = Runner()
    search(config, registry, "f00d" * 16, runner)
    assert sum(runner.batches) == 5


def test_every_trial_is_kept_as_a_child_of_its_search(config: TuneConfig, registry: Registry) -> None:
    from faultline.mlflow_client import connect

    search(config, registry, "f00d" * 16, Runner())
    client = connect(registry.uri)
    experiment = client.get_experiment_by_name("tune")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert (len(children), parent.data.params["false_per_10000"]) == (5, "20.0")
    assert {tuple(sorted(run.data.params)) for run in children} == {tuple(sorted(Parameters().__struct_fields__))}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("FAULTLINE_TUNE_DETECTORS", "nearest,magic", "detector is 'magic', expected one of"),
        ("FAULTLINE_TUNE_TRIALS", "0", "is '0', expected a whole number, at least 1"),
    ],
)
def test_a_bad_setting_is_refused(key: str, value: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        TuneConfig.from_env({key: value})
