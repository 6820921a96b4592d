"""The contract of every detector as one list of checks; `tests/spark/models/test_checks.py` breaks each of them once.

A check takes a detector class and an empty folder, and raises ContractError saying what was expected. The rows lie
around one direction and are not negative, so that they suit detectors of embeddings and of counts alike.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from faultline.errors import ArtifactError, FaultlineError, NotFittedError, TrainingDataError
from spark.models.base import Counts, Detector, Matrix, Vector

FEATURES: Final = 16
TOLERANCE: Final = 1e-4  # relative; matrix products of another shape round differently
SAVED_AS: Final = (".safetensors", ".json", ".onnx")  # nothing that runs code when it is read

Kind = type[Detector]


class ContractError(FaultlineError, AssertionError):
    """A detector breaks the contract that all detectors keep."""


def normal_rows(n: int, seed: int, spread: float = 0.1) -> Matrix:
    """Return n unit vectors around the first axis, no number negative: float32 [n, FEATURES]."""
    x = np.abs(np.random.default_rng(seed).normal(0.0, spread, (n, FEATURES)))
    x[:, 0] += 1.0
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), np.float32)


def planted_rows(n: int, seed: int) -> Matrix:
    """Return n rows around another axis: anomalies that any detector should notice."""
    return np.roll(normal_rows(n, seed), 5, axis=1)


def training_counts(n: int) -> Counts:
    """Return how often each of n rows was seen, int64 [n]."""
    return np.arange(1, n + 1)


NORMAL, FRESH, PLANTED = normal_rows(60, 1), normal_rows(40, 2), planted_rows(20, 3)
COUNTS = training_counts(len(NORMAL))


def check_has_a_name(kind: Kind, _folder: Path) -> None:
    """A detector is configured, reported and stored by its name."""
    name = getattr(kind, "name", None)
    _expect(isinstance(name, str) and name.isidentifier() and name.islower(), kind, f"a snake_case name, got {name!r}")


def check_fit_returns_itself(kind: Kind, _folder: Path) -> None:
    """`fit` can be chained."""
    detector = kind()
    _expect(detector.fit(NORMAL.copy(), COUNTS.copy()) is detector, kind, "fit to return the detector itself")


def check_input_unchanged(kind: Kind, _folder: Path) -> None:
    """Neither `fit` nor `score` writes into what it is given."""
    x, counts = NORMAL.copy(), COUNTS.copy()
    kind().fit(x, counts).score(x)
    _expect(np.array_equal(x, NORMAL) and np.array_equal(counts, COUNTS), kind, "rows and counts left as they were")


def check_score_has_the_agreed_type(kind: Kind, _folder: Path) -> None:
    """One float32 a row, also for no rows at all."""
    detector = _fitted(kind)
    for x in (FRESH, FRESH[:0]):
        scores = detector.score(x)
        got = getattr(scores, "shape", None), getattr(scores, "dtype", None)
        _expect(got == ((len(x),), np.float32), kind, f"float32 [{len(x)}], got {got[1]} {got[0]}")


def check_batch_equals_rows(kind: Kind, _folder: Path) -> None:
    """A row's score does not depend on the rows beside it."""
    detector = _fitted(kind)
    rows = np.concatenate([detector.score(FRESH[i : i + 1]) for i in range(len(FRESH))])
    _expect_close(detector.score(FRESH), rows, kind, "a batch to score like its rows one by one")


def check_order_of_scored_rows(kind: Kind, _folder: Path) -> None:
    """A row's score does not depend on the rows before it."""
    detector = _fitted(kind)
    _expect_close(detector.score(FRESH[::-1].copy())[::-1], detector.score(FRESH), kind, "any order of rows to do")


def check_order_of_training_rows(kind: Kind, _folder: Path) -> None:
    """Lines arrive in no order."""
    backwards = kind().fit(NORMAL[::-1].copy(), COUNTS[::-1].copy())
    _expect_close(backwards.score(FRESH), _fitted(kind).score(FRESH), kind, "any order of training rows to do")


def check_same_seed_same_scores(kind: Kind, _folder: Path) -> None:
    """Training twice on the same rows gives the same model; scoring leaves no trace."""
    detector = _fitted(kind)
    first = detector.score(FRESH)
    _expect(np.array_equal(detector.score(FRESH), first), kind, "the same scores when asked again")
    _expect(np.array_equal(_fitted(kind).score(FRESH), first), kind, "the same scores when trained again")


def check_saved_is_loaded(kind: Kind, folder: Path) -> None:
    """What is loaded scores to the last bit like what was saved."""
    detector = _fitted(kind)
    detector.save(folder)
    _expect(
        np.array_equal(kind.load(folder).score(FRESH), detector.score(FRESH)), kind, "the loaded one to score alike"
    )


def check_saved_files_are_plain(kind: Kind, folder: Path) -> None:
    """Only formats that cannot run code are written."""
    _fitted(kind).save(folder)
    names = sorted(path.name for path in folder.rglob("*") if path.is_file())
    plain = bool(names) and all(name.endswith(SAVED_AS) for name in names)
    _expect(plain, kind, f"{', '.join(SAVED_AS)} files only, got {', '.join(names) or 'nothing'}")


def check_missing_file_is_an_artifact_error(kind: Kind, folder: Path) -> None:
    """An empty folder is no model."""
    _expect_error(ArtifactError, partial(kind.load, folder), kind, "loading from an empty folder")


def check_constant_columns_are_finite(kind: Kind, _folder: Path) -> None:
    """One constant template, a feature that never moves: no division by zero, and no score of NaN."""
    x = np.zeros((5, FEATURES), np.float32)
    x[:, 0] = 1.0
    for rows, counts in ((x, np.ones(5, np.int64)), (x[:1], np.ones(1, np.int64))):
        scores = kind().fit(rows, counts).score(np.vstack([x, FRESH, x * 0]))
        _expect(bool(np.isfinite(scores).all()), kind, "finite scores after constant columns")


def check_not_a_number_is_never_normal(kind: Kind, _folder: Path) -> None:
    """A row that holds NaN or infinity scores at least like the highest normal row; no NaN comes out."""
    detector = _fitted(kind)
    for value in (np.nan, np.inf, -np.inf):
        x = FRESH.copy()
        x[3, 2] = value
        scores = detector.score(x)
        high = not np.isnan(scores).any() and scores[3] >= scores.max()
        _expect(bool(high), kind, f"a row with {value} to score highest, got {scores[3]}")


def check_unusable_training_rows_are_refused(kind: Kind, _folder: Path) -> None:
    """No rows, NaN or infinity: TrainingDataError, not a model of nonsense."""
    _expect_error(TrainingDataError, lambda: kind().fit(NORMAL[:0], COUNTS[:0]), kind, "training on no rows")
    for value in (np.nan, np.inf):
        x = NORMAL.copy()
        x[3, 2] = value
        _expect_error(TrainingDataError, partial(kind().fit, x, COUNTS), kind, f"training on {value}")


def check_nothing_before_fitting(kind: Kind, folder: Path) -> None:
    """Neither scores nor files come from a detector that has learned nothing."""
    _expect_error(NotFittedError, lambda: kind().score(FRESH), kind, "scoring before fit")
    _expect_error(NotFittedError, lambda: kind().save(folder), kind, "saving before fit")


def check_other_width_is_refused(kind: Kind, _folder: Path) -> None:
    """Rows of other features than those of training are an error, not a number."""
    detector = _fitted(kind)
    for x in (FRESH[:, :-1].copy(), np.hstack([FRESH, FRESH]), FRESH[:, :1].copy()):
        _expect_error(ArtifactError, partial(detector.score, x), kind, f"scoring {x.shape[1]} features")


def check_planted_anomalies_are_found(kind: Kind, _folder: Path) -> None:
    """ROC AUC above 0.5 on rows that lie elsewhere: what scores everything alike is no detector."""
    detector = _fitted(kind)
    auc = roc_auc(detector.score(FRESH), detector.score(PLANTED))
    _expect(auc > 0.5, kind, f"ROC AUC above 0.5 on planted anomalies, got {auc:.3f}")


CHECKS: Final[tuple[Callable[[Kind, Path], None], ...]] = (
    check_has_a_name,
    check_fit_returns_itself,
    check_input_unchanged,
    check_score_has_the_agreed_type,
    check_batch_equals_rows,
    check_order_of_scored_rows,
    check_order_of_training_rows,
    check_same_seed_same_scores,
    check_saved_is_loaded,
    check_saved_files_are_plain,
    check_missing_file_is_an_artifact_error,
    check_constant_columns_are_finite,
    check_not_a_number_is_never_normal,
    check_unusable_training_rows_are_refused,
    check_nothing_before_fitting,
    check_other_width_is_refused,
    check_planted_anomalies_are_found,
)


def roc_auc(normal: Vector, abnormal: Vector) -> float:
    """Return the chance that an abnormal row scores above a normal one; ties count half.

    >>> roc_auc(np.float32([0, 1]), np.float32([1, 2]))
    0.875
    """
    above = abnormal[:, None] > normal[None, :]
    return float((above + 0.5 * (abnormal[:, None] == normal[None, :])).mean())


def _fitted(kind: Kind) -> Detector:
    return kind().fit(NORMAL.copy(), COUNTS.copy())


def _expect(holds: bool, kind: Kind, expected: str) -> None:
    if not holds:
        raise ContractError(f"{kind.__name__}: expected {expected}")


def _expect_close(got: npt.NDArray[Any], wanted: npt.NDArray[Any], kind: Kind, expected: str) -> None:
    scale = float(np.abs(wanted).max()) or 1.0
    off = float(np.abs(got - wanted).max()) / scale
    _expect(off <= TOLERANCE, kind, f"{expected}, scores differ by {off:.2g} of the highest")


def _expect_error(error: type[FaultlineError], act: Callable[[], object], kind: Kind, when: str) -> None:
    try:
        act()
    except error:
        return
    except Exception as other:
        raise ContractError(f"{kind.__name__}: {when} raised {other!r}, expected {error.__name__}") from other
    raise ContractError(f"{kind.__name__}: {when} raised nothing, expected {error.__name__}")
