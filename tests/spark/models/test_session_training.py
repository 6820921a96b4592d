"""What normal sessions teach: which are whole, what the model knows, how high a score must be for an alert."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest

from spark.models import session_training
from spark.models.counting import SESSION_SCHEMA
from spark.models.session_model import SessionModel
from spark.models.session_training import MIN_SESSIONS, alert_floor, read_sessions, train, whole_sessions

START = 1_700_000_000
ORDER = "charge*1 close*1 open*1 reserve*2"
BROWSE = "home*1"
Row = tuple[int, int, str, int]  # first, last, shape, sessions


def table(rows: list[Row]) -> pa.Table:
    made = [(START + first, START + last, shape, "", sessions) for first, last, shape, sessions in rows]
    return pa.Table.from_pylist([dict(zip(SESSION_SCHEMA.names, row, strict=True)) for row in made], SESSION_SCHEMA)


def normal(seconds: int = 120) -> list[Row]:
    """Return two kinds of sessions in each second, and here and there one with a retried step."""
    steady = [(second, second + 1, shape, 3) for second in range(seconds) for shape in (ORDER, BROWSE)]
    return [*steady, *((second, second, "charge*2 close*1 open*1 reserve*2", 1) for second in range(0, seconds, 9))]


def trained(rows: list[Row]) -> SessionModel:
    model = train(table(rows), {"charge": "payments", "other": "x"}, {"charge": "INFO charged", "no": "no"}, 1 / 3)
    assert model is not None
    return model


def test_missing_steps_and_unseen_ones_are_abnormal_normal_sessions_are_not() -> None:
    model = trained(normal())
    shapes = [
        {"charge": 1, "close": 1, "open": 1, "reserve": 2},
        {"home": 1},
        {"charge": 2, "close": 1, "open": 1, "reserve": 2},
        {"close": 1, "open": 1},
        {"charge": 1, "close": 1, "open": 1, "reserve": 2, "unknown": 3},
    ]
    scores = model.scores(shapes)
    assert scores[:3].tolist() == [0.0, 0.0, 0.0]
    assert (scores[3:] > 0).all()
    assert model.is_abnormal(scores).tolist() == [False, False, False, True, True]


def test_a_missing_step_is_abnormal_where_sessions_always_have_it() -> None:
    model = trained([(second, second + 1, ORDER, 3) for second in range(120)])
    scores = model.scores([{"close": 1, "open": 1, "reserve": 2}, {"charge": 1, "close": 1, "open": 1, "reserve": 2}])
    assert model.is_abnormal(scores).tolist() == [True, False]


def test_one_session_that_resembles_nothing_does_not_blind_the_model() -> None:
    shape = " ".join(f"odd{number}*1" for number in range(9))
    odd = [(second, second, shape, 1) for second in (20, 60, 100)]
    assert trained([*normal(), odd[0]]).floor < 2 * trained(normal()).floor
    assert trained([*normal(), *odd]).floor < 1.1 * trained(normal()).floor  # what comes again is no oddity


@pytest.mark.parametrize("rows", [[], [(0, 1, ORDER, MIN_SESSIONS - 1)], [(0, 30, ORDER, 1000)]])
def test_too_few_whole_sessions_make_no_model(rows: list[Row]) -> None:
    assert train(table(rows), {}, {}, 1.0) is None


def test_sessions_that_an_end_of_normal_time_may_have_cut_are_left_out() -> None:
    rows = [(first, first + 10, ORDER, 1) for first in range(0, 91)] + [(0, 3, BROWSE, 1), (97, 100, BROWSE, 1)]
    whole = whole_sessions(read_sessions(table(rows)))
    assert (whole.last.min() - START, whole.first.max() - START) == (11, 89)
    assert whole.sessions.sum() == 89


def test_of_too_many_shapes_the_last_sessions_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_training, "MAX_SHAPES", 2)
    seen = read_sessions(table([(0, 0, "a*1", 1), (1, 1, "b*1", 1), (2, 2, "c*1", 1), (3, 3, "b*1", 1)]))
    assert (seen.last - START).tolist() == [1, 2, 3]


def test_the_order_of_rows_is_irrelevant() -> None:
    rows = normal()
    shuffled = random.Random(0).sample(rows, len(rows))
    assert trained(rows).threshold.to_json() == trained(shuffled).threshold.to_json()
    assert trained(rows).floor == trained(shuffled).floor


def test_the_model_keeps_names_and_texts_of_what_sessions_have() -> None:
    model = trained(normal())
    assert (dict(model.writers), dict(model.texts)) == ({"charge": "payments"}, {"charge": "INFO charged"})


def test_the_floor_falls_with_time_and_rises_with_odd_sessions() -> None:
    few, many = np.array([0.0, 9.0, 8.0], np.float32), np.array([0.0, *np.full(50, 9.0)], np.float32)

    def floor(scores: np.ndarray, seconds: float, budget: float = 1.0) -> float:
        return alert_floor(scores, np.ones(len(scores), np.int64), seconds, budget)

    assert floor(few, 600.0) == pytest.approx(floor(few, 60.0) / 10**0.5)
    assert floor(many, 60.0) > floor(few, 60.0)
    assert floor(few, 60.0, budget=0.1) > floor(few, 60.0)
    assert floor(np.zeros(100, np.float32), 60.0) > 1.0
