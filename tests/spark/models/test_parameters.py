"""What the search found is used only when it is named, and only when training can use it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.config import TrainConfig
from faultline.errors import ConfigError
from spark.models.parameters import Parameters, budget_of
from spark.models.templates import DEFAULT_GROUPING, Grouping


def config(path: Path | None = None) -> TrainConfig:
    return TrainConfig.from_env({} if path is None else {"FAULTLINE_PARAMETERS": str(path)})


def test_without_a_file_the_settings_count() -> None:
    budget = budget_of(config())
    assert (budget.calibration_fraction, budget.grouping) == (0.3, DEFAULT_GROUPING)


def test_a_file_that_is_named_counts(tmp_path: Path) -> None:
    Parameters(calibration_fraction=0.25, similarity=0.7, min_values=9).write(tmp_path / "tune" / "best.json")
    budget = budget_of(config(tmp_path / "tune" / "best.json"))
    assert (budget.calibration_fraction, budget.grouping) == (0.25, Grouping(0.7, 9))
    assert budget.per_day == budget_of(config()).per_day


@given(st.floats(0.05, 0.9), st.floats(0.1, 1.0), st.integers(2, 100))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, fraction: float, similarity: float, min_values: int
) -> None:
    path = tmp_path_factory.mktemp("parameters") / "best.json"
    parameters = Parameters(calibration_fraction=fraction, similarity=similarity, min_values=min_values)
    parameters.write(path)
    assert Parameters.read(path) == parameters


BAD = {
    "no JSON": ("calibration_fraction=0.3", "JSON is malformed"),
    "too much held out": ('{"calibration_fraction": 0.95}', "Expected `float` <= 0.9"),
    "an unknown name": ('{"fraction": 0.3}', "unknown field `fraction`"),
    "text": ('{"min_values": "many"}', "Expected `int`, got `str`"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_unusable_is_refused(tmp_path: Path, name: str) -> None:
    text, fault = BAD[name]
    (tmp_path / "best.json").write_text(text)
    with pytest.raises(ConfigError) as caught:
        budget_of(config(tmp_path / "best.json"))
    assert str(caught.value).startswith(f"FAULTLINE_PARAMETERS is '{tmp_path}/best.json', expected a file that the job")
    assert fault in str(caught.value)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file or directory"):
        budget_of(config(tmp_path / "best.json"))


def test_a_detector_that_does_not_stream_is_refused(tmp_path: Path) -> None:
    Parameters(detector="mahalanobis").write(tmp_path / "best.json")
    with pytest.raises(ConfigError, match=r"is 'mahalanobis', expected 'nearest', which the stream scores with"):
        budget_of(config(tmp_path / "best.json"))
