"""Every detector keeps the contract; and each check is shown a detector that breaks just it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from faultline.errors import ArtifactError, NotFittedError, TrainingDataError
from spark.models import checks
from spark.models.base import Counts, Detector, Matrix, Vector
from spark.models.checks import CHECKS, ContractError, Kind
from spark.models.detectors import all_detectors, autoencoder

Check = Callable[[Kind, Path], None]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The contract holds after any number of steps; a dozen trainings a check would take long."""
    monkeypatch.setattr(autoencoder, "STEPS", 60)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("kind", all_detectors(), ids=lambda kind: kind.name)
def test_contract(kind: Kind, check: Check, tmp_path: Path) -> None:
    check(kind, tmp_path)


class Distance:
    """Keeps the contract: distance to the mean. Each class below breaks it in one way."""

    name: ClassVar[str] = "distance"

    def __init__(self) -> None:
        self.mean: Any = None

    def fit(self, x: Matrix, counts: Counts) -> Self:
        if len(x) == 0 or not np.isfinite(x).all():
            raise TrainingDataError("no rows, NaN or infinity")
        self.mean = np.average(x, axis=0, weights=counts).astype(np.float32)
        return self

    def score(self, x: Matrix) -> Vector:
        if self.mean is None:
            raise NotFittedError("fit first")
        if x.shape[1] != len(self.mean):
            raise ArtifactError("other features")
        with np.errstate(invalid="ignore"):
            distance = np.linalg.norm(x - self.mean, axis=1)
        return np.nan_to_num(distance, nan=np.inf, posinf=np.inf).astype(np.float32)

    def save(self, folder: Path) -> None:
        if self.mean is None:
            raise NotFittedError("fit first")
        save_file({"mean": self.mean}, folder / "distance.safetensors")

    @classmethod
    def load(cls, folder: Path) -> Self:
        if not (folder / "distance.safetensors").is_file():
            raise ArtifactError("missing")
        model = cls()
        model.mean = load_file(folder / "distance.safetensors")["mean"]
        return model


class Nameless(Distance):
    name = "Not A Name"


class Unchained(Distance):
    def fit(self, x: Matrix, counts: Counts) -> Self:
        return type(self)._of(super().fit(x, counts).mean)

    @classmethod
    def _of(cls, mean: Any) -> Self:
        model = cls()
        model.mean = mean
        return model


class Mutating(Distance):
    def score(self, x: Matrix) -> Vector:
        scores = super().score(x)
        x -= self.mean
        return scores


class Doubling(Distance):
    def score(self, x: Matrix) -> Vector:
        return super().score(x).astype(np.float64)  # type: ignore[return-value]


class Batchwise(Distance):
    """Scores relative to the batch, as an estimate fitted while scoring would."""

    def score(self, x: Matrix) -> Vector:
        scores = super().score(x)
        return scores - scores.mean() if len(scores) else scores


class Sequential(Distance):
    """Compares with the row before."""

    def score(self, x: Matrix) -> Vector:
        scores = super().score(x)
        return scores + 0.1 * np.arange(len(scores), dtype=np.float32)


class Forgetful(Distance):
    """Learns from the last rows only."""

    def fit(self, x: Matrix, counts: Counts) -> Self:
        super().fit(x, counts)
        self.mean = x[-5:].mean(axis=0)
        return self


class Moody(Distance):
    drawn: ClassVar[Any] = np.random.default_rng(0)

    def fit(self, x: Matrix, counts: Counts) -> Self:
        super().fit(x, counts)
        self.mean = (self.mean + self.drawn.normal(0, 0.1, len(self.mean))).astype(np.float32)
        return self


class Rounding(Distance):
    """Stores less than it knows."""

    def save(self, folder: Path) -> None:
        super().save(folder)
        save_file({"mean": self.mean.astype(np.float16).astype(np.float32)}, folder / "distance.safetensors")


class Pickling(Distance):
    def save(self, folder: Path) -> None:
        super().save(folder)
        (folder / "model.pkl").write_bytes(b"")


class Trusting(Distance):
    @classmethod
    def load(cls, folder: Path) -> Self:
        return super().load(folder) if any(folder.iterdir()) else cls()


class Dividing(Distance):
    def score(self, x: Matrix) -> Vector:
        scores = super().score(x)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.mean.min() > 0, scores, scores / np.float32(0)).astype(np.float32)


class Lenient(Distance):
    """What it cannot judge passes as normal."""

    def score(self, x: Matrix) -> Vector:
        return np.nan_to_num(super().score(x), posinf=0.0)


class Credulous(Distance):
    def fit(self, x: Matrix, counts: Counts) -> Self:
        return super().fit(np.nan_to_num(x, posinf=0.0), counts)


class Eager(Distance):
    def score(self, x: Matrix) -> Vector:
        return super().score(x) if self.mean is not None else np.zeros(len(x), np.float32)


class Broadcasting(Distance):
    """One column is spread over all features, a wrong width is an answer."""

    def score(self, x: Matrix) -> Vector:
        return super().score(x if x.shape[1] > 1 else np.repeat(x, len(self.mean), axis=1))


class Failing(Distance):
    """The right moment, the wrong error."""

    def score(self, x: Matrix) -> Vector:
        if self.mean is not None and x.shape[1] != len(self.mean):
            raise ValueError("operands could not be broadcast together")
        return super().score(x)


class Constant(Distance):
    def score(self, x: Matrix) -> Vector:
        return np.where(np.isfinite(super().score(x)), 0.5, np.inf).astype(np.float32)


BROKEN: dict[type[Detector], tuple[Check, str]] = {
    Nameless: (checks.check_has_a_name, "Nameless: expected a snake_case name, got 'Not A Name'"),
    Unchained: (checks.check_fit_returns_itself, "Unchained: expected fit to return the detector itself"),
    Mutating: (checks.check_input_unchanged, "Mutating: expected rows and counts left as they were"),
    Doubling: (checks.check_score_has_the_agreed_type, r"Doubling: expected float32 \[40\], got float64 \(40,\)"),
    Batchwise: (
        checks.check_batch_equals_rows,
        "Batchwise: expected a batch to score like its rows one by one, scores d",
    ),
    Sequential: (checks.check_order_of_scored_rows, "Sequential: expected any order of rows to do, scores differ by"),
    Forgetful: (
        checks.check_order_of_training_rows,
        "Forgetful: expected any order of training rows to do, scores dif",
    ),
    Moody: (checks.check_same_seed_same_scores, "Moody: expected the same scores when trained again"),
    Rounding: (checks.check_saved_is_loaded, "Rounding: expected the loaded one to score alike"),
    Pickling: (
        checks.check_saved_files_are_plain,
        r"Pickling: expected \.safetensors, .+ files only, got .+model\.pkl",
    ),
    Trusting: (checks.check_missing_file_is_an_artifact_error, "empty folder raised nothing, expected ArtifactError"),
    Dividing: (checks.check_constant_columns_are_finite, "Dividing: expected finite scores after constant columns"),
    Lenient: (checks.check_not_a_number_is_never_normal, "Lenient: expected a row with nan to score highest, got 0"),
    Credulous: (
        checks.check_unusable_training_rows_are_refused,
        "training on nan raised nothing, expected TrainingDat",
    ),
    Eager: (checks.check_nothing_before_fitting, "Eager: scoring before fit raised nothing, expected NotFittedError"),
    Broadcasting: (checks.check_other_width_is_refused, "scoring 1 features raised nothing, expected ArtifactError"),
    Failing: (
        checks.check_other_width_is_refused,
        r"scoring 15 features raised ValueError\(.+\), expected ArtifactError",
    ),
    Constant: (
        checks.check_planted_anomalies_are_found,
        r"expected ROC AUC above 0\.5 on planted anomalies, got 0\.500",
    ),
}


@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
def test_a_broken_detector_is_caught(kind: type[Detector], tmp_path: Path) -> None:
    check, text = BROKEN[kind]
    with pytest.raises(ContractError, match=text):
        check(kind, tmp_path)


@pytest.mark.parametrize("check", CHECKS)
def test_the_broken_ones_are_broken_in_one_way_only(check: Check, tmp_path: Path) -> None:
    check(Distance, tmp_path)


def test_every_check_is_shown_a_detector_that_breaks_it() -> None:
    assert {check for check, _ in BROKEN.values()} == set(CHECKS)


def test_every_check_is_listed_and_says_why() -> None:
    found = {value for name, value in vars(checks).items() if name.startswith("check_")}
    assert found == set(CHECKS)
    assert all(check.__doc__ for check in CHECKS)
