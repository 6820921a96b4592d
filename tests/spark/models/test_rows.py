"""What every detector checks alike before it learns or scores."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from faultline.errors import ArtifactError, TrainingDataError
from spark.models.rows import check_width, frequency_weight, read_tensors, score_rows, training_rows

pairs = st.lists(st.tuples(st.integers(-2, 2), st.integers(-2, 2), st.integers(0, 3)), min_size=1, max_size=12)


@given(pairs, st.randoms())
def test_rows_are_distinct_sorted_and_counted_in_any_order(drawn: list[tuple[int, int, int]], random: Random) -> None:
    if not any(count for *_, count in drawn):
        return
    shuffled = random.sample(drawn, len(drawn))
    results = []
    for order in (drawn, shuffled):
        x, counts = np.array([row for *row, _ in order], np.float32), np.array([c for *_, c in order])
        rows, times = training_rows(x, counts, "Model")
        results.append(list(map(tuple, np.column_stack([rows, times]).tolist())))
    totals: dict[tuple[int, int], int] = {}
    for a, b, count in drawn:
        totals[a, b] = totals.get((a, b), 0) + count
    assert results[0] == results[1] == sorted((a, b, n) for (a, b), n in totals.items() if n)


def test_minus_zero_is_zero() -> None:
    rows, times = training_rows(np.array([[0.0], [-0.0]], np.float32), np.array([1, 2]), "Model")
    assert (rows.tolist(), times.tolist()) == ([[0.0]], [3])


BAD = {
    "no rows": (np.zeros((0, 2)), np.zeros(0, np.int64), "Model: no rows to learn from, expected at least one of"),
    "rows never seen": (np.zeros((2, 2)), np.zeros(2, np.int64), "Model: no rows to learn from, expected at least"),
    "no columns": (np.zeros((2, 0)), np.ones(2, np.int64), r"got rows \(2, 0\) and counts \(2,\), expected \[n, d\]"),
    "a vector": (np.zeros(2), np.ones(2, np.int64), r"got rows \(2,\) and counts \(2,\), expected \[n, d\] with d > 0"),
    "a count missing": (
        np.zeros((2, 1)),
        np.ones(1, np.int64),
        r"got rows \(2, 1\) and counts \(1,\), expected \[n, d",
    ),
    "a negative count": (np.zeros((1, 1)), -np.ones(1, np.int64), "and one count of 0 or more a row"),
    "NaN": (
        np.array([[0, np.nan, 1, np.inf]]),
        np.ones(1, np.int64),
        "NaN or infinity in columns 1, 3 of 4, expected f",
    ),
    "all NaN": (np.full((1, 20), np.nan), np.ones(1, np.int64), "columns 0, 1, 2, 3, 4, 5, 6, 7 and 12 more of 20"),
}


@pytest.mark.parametrize("name", BAD)
def test_unusable_rows_are_refused(name: str) -> None:
    x, counts, text = BAD[name]
    with pytest.raises(TrainingDataError, match=text):
        training_rows(x.astype(np.float32), counts, "Model")


def test_what_is_no_number_scores_infinity_and_is_not_asked_about() -> None:
    x = np.array([[1, 2], [np.nan, 0], [3, 4], [np.inf, 0], [0, -np.inf]], np.float32)
    scores = score_rows(x, 2, "Model", lambda rows: rows.sum(axis=1))
    assert scores.tolist() == [3, np.inf, 7, np.inf, np.inf]
    assert scores.dtype == np.float32


def test_a_score_beyond_float32_is_cut() -> None:
    assert score_rows(np.ones((1, 1), np.float32), 1, "Model", lambda rows: rows[:, 0] * 1e300).tolist() == [
        float(np.finfo(np.float32).max)
    ]


@pytest.mark.parametrize("shape", [(1, 3), (0, 1), (2,), (1, 2, 1)])
def test_another_width_names_what_to_do(shape: tuple[int, ...]) -> None:
    with pytest.raises(ArtifactError) as caught:
        check_width(np.zeros(shape, np.float32), 2, "Model")
    assert str(caught.value) == (
        f"Model: got rows of shape {shape}, expected [n, 2]: the model was trained with other features; train again"
    )


def test_stored_tensors_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(ArtifactError, match=r"model\.safetensors is missing, expected the state of Model; train again"):
        read_tensors(path, ("a",), "Model")
    path.write_bytes(b"pickle?")
    with pytest.raises(ArtifactError, match=r"model\.safetensors: not a safetensors file \(.+\); train again"):
        read_tensors(path, ("a",), "Model")
    save_file({"a": np.ones(2, np.float32)}, path)
    assert read_tensors(path, ("a",), "Model")["a"].tolist() == [1, 1]
    with pytest.raises(ArtifactError, match=r"model\.safetensors: no b, c, expected the state of Model; train again"):
        read_tensors(path, ("a", "c", "b"), "Model")


def test_frequent_rows_weigh_more_but_not_in_proportion() -> None:
    assert frequency_weight(np.array([0, 1, 2, 1024])).tolist() == [1, 1, 2, 11]
