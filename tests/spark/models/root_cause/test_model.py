"""The root-cause part of a model on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from faultline.catalog.graph import Edge
from faultline.errors import ArtifactError
from spark.models.root_cause.calls import wait_series
from spark.models.root_cause.flow import FlowProfile
from spark.models.root_cause.model import FILE, FOLDER, RootCauseModel
from spark.models.root_cause.numbers import NumberProfile
from spark.models.root_cause.ranker import Ranker
from spark.models.root_cause.usual import Usual
from tests.spark.models.root_cause.test_flow import NORMAL
from tests.spark.models.root_cause.test_ranker import PAST

WAITS = NumberProfile.fit({wait_series("orders", "payments"): [1.0, 1.1, 1.2, 1.3, 1.4]}, 0.1)
MODEL = RootCauseModel(Usual(FlowProfile.fit(NORMAL), WAITS), (Edge("orders", "payments", 20),), Ranker().fit(PAST))


def test_part_survives_the_disk(tmp_path: Path) -> None:
    MODEL.save(tmp_path)
    again = RootCauseModel.load(tmp_path)
    assert again is not None
    assert (again.usual, again.edges) == (MODEL.usual, MODEL.edges)
    assert again.ranker.weights == MODEL.ranker.weights


def test_model_without_the_part_has_none(tmp_path: Path) -> None:
    assert RootCauseModel.load(tmp_path) is None


def test_part_for_other_features_is_refused(tmp_path: Path) -> None:
    MODEL.save(tmp_path)
    path = tmp_path / FOLDER / FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), "features": -1}))
    with pytest.raises(ArtifactError, match="made for features -1"):
        RootCauseModel.load(tmp_path)


@pytest.mark.parametrize("change", [{"edges": [["a"]]}, {"edges": None}, {"flow": {"a": 1}}, {"waits": [["a"]]}])
def test_damaged_part_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    MODEL.save(tmp_path)
    path = tmp_path / FOLDER / FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ArtifactError, match="train again"):
        RootCauseModel.load(tmp_path)


def test_other_weights_leave_what_normal_time_taught() -> None:
    changed = MODEL.with_ranker(Ranker.prior())
    assert changed.usual is MODEL.usual
    assert changed.ranker.weights == Ranker.prior().weights
