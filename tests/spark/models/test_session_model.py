"""A session model keeps what it learned, and says what in a session is unlike the nearest normal one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from faultline.artifact import write_manifest
from faultline.errors import ArtifactError
from spark.models.detectors.count_neighbour import CountNeighbour
from spark.models.session_model import FILE, FOLDER, MAX_COUNT, SessionModel, count_matrix
from spark.models.sessions import SessionVocabulary
from spark.models.threshold import ConformalThreshold

NORMAL = [{"open": 1, "charge": 1, "close": 1}, {"home": 1}]


def session_model() -> SessionModel:
    vocabulary = SessionVocabulary.fit([list(shape) for shape in NORMAL])
    neighbour = CountNeighbour().fit(count_matrix(vocabulary, NORMAL), np.array([50, 50]))
    held_out = np.array([0.0, 1.0], np.float32)
    threshold = ConformalThreshold.fit(held_out, np.array([98, 2]), budget_per_day=1.0, units_per_day=1e5)
    return SessionModel(vocabulary, neighbour, threshold, 2.0, {"charge": "payments"}, {"charge": "INFO charged"}, "k")


def test_a_saved_model_is_the_same_model(tmp_path: Path) -> None:
    session_model().save(tmp_path)
    write_manifest(tmp_path, trained_at="now")
    loaded = SessionModel.load(tmp_path)
    assert loaded is not None
    shapes = [*NORMAL, {"open": 1, "close": 1}, {"new": 4}]
    assert loaded.scores(shapes).tolist() == session_model().scores(shapes).tolist()
    assert loaded.is_abnormal(loaded.scores(shapes)).tolist() == [False, False, False, True]
    assert (loaded.folder, loaded.pattern, loaded.floor) == (tmp_path.name, "k", 2.0)
    assert (loaded.writers, loaded.texts) == ({"charge": "payments"}, {"charge": "INFO charged"})


def test_a_model_without_sessions_has_no_session_part(tmp_path: Path) -> None:
    assert SessionModel.load(tmp_path) is None


def test_a_model_for_other_features_is_refused(tmp_path: Path) -> None:
    session_model().save(tmp_path)
    path = tmp_path / FOLDER / FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), "features": 0}))
    with pytest.raises(ArtifactError, match="made for features 0, this code computes"):
        SessionModel.load(tmp_path)


def test_what_moved_is_told_with_what_is_usual() -> None:
    moved = session_model().moved({"open": 1, "close": 1, "new": 3})
    assert [(one.template, one.value, one.usual) for one in moved] == [("unknown", 3.0, 0.0), ("charge", 0.0, 1.0)]
    assert moved[0].deviation > 0 > moved[1].deviation
    score = session_model().scores([{"open": 1, "close": 1, "new": 3}])[0]
    assert sum(abs(one.deviation) for one in moved) == pytest.approx(score, rel=1e-5)


def test_each_template_has_a_column() -> None:
    model = session_model()
    assert [model.column(template) for template in ("charge", "new")] == ["charge", "unknown"]


def test_counts_beyond_the_bound_are_no_further_from_normal() -> None:
    model = session_model()
    most, more = model.scores([{"home": MAX_COUNT}, {"home": 10**9}])
    assert most == more > 0
