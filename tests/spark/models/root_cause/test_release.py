"""A model extended by its root-cause part."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from faultline.artifact import read_manifest
from faultline.catalog.graph import Edge
from spark.models.root_cause.addresses import ADDRESS_SCHEMA, LISTENS, PASSES_ON
from spark.models.root_cause.counting import STEP_SCHEMA
from spark.models.root_cause.flow import Step
from spark.models.root_cause.model import RootCauseModel
from spark.models.root_cause.ranker import Ranker
from spark.models.root_cause.release import Requests, extend
from spark.models.root_cause.requests import SeenRequests
from spark.models.semantic import SemanticModel
from tests.spark.models.root_cause.test_ranker import PAST

STEPS = pa.Table.from_pylist(
    [
        {"bucket": 30 * i, "service_name": "orders", "before": "asked", "after": after, "taken": taken}
        for i in range(20)
        for after, taken in (("stored", 18), ("refused", 2))
    ],
    STEP_SCHEMA,
)
PARTS = pa.Table.from_pylist(
    [
        {"request": f"r{n}", "service_name": name, "begin": n + at, "end": n + 1.0 - at}
        for n in range(9)
        for name, at in (("orders", 0.0), ("payments", 0.2))
    ]
)
ADDRESSES = pa.Table.from_pylist(
    [
        {"kind": LISTENS, "service_name": "orders", "address": "127.0.0.1:8102", "lines": 60},
        {"kind": PASSES_ON, "service_name": "nginx", "address": "127.0.0.1:8102", "lines": 7},
    ],
    ADDRESS_SCHEMA,
)
SEEN = Requests(STEPS, PARTS, ADDRESSES)


def test_model_has_all_it_had_and_knows_requests(model_folder: Path, tmp_path: Path) -> None:
    manifest = extend(model_folder, tmp_path, SEEN, PAST)
    assert manifest == read_manifest(tmp_path)
    assert manifest["root_cause"] == {"edges": 2, "incidents": len(PAST), "services": 1, "steps": 2}
    found = RootCauseModel.load(tmp_path)
    assert found is not None
    assert found.edges == (Edge("nginx", "orders", 7), Edge("orders", "payments", 9))
    low, high = found.usual.flow.ranges["orders"]["asked"]["stored"]
    assert 0.8 < low <= high < 0.95
    assert found.ranker.weights != Ranker.delivered().weights
    assert manifest["version"] != read_manifest(model_folder)["version"]
    assert SemanticModel.load(tmp_path).references == SemanticModel.load(model_folder).references


def test_without_incidents_the_weights_are_those_delivered(model_folder: Path, tmp_path: Path) -> None:
    extend(model_folder, tmp_path, SEEN, [])
    found = RootCauseModel.load(tmp_path)
    assert found is not None
    assert found.ranker.weights == Ranker.delivered().weights


def test_model_can_be_extended_again(model_folder: Path, tmp_path: Path) -> None:
    extend(model_folder, tmp_path / "one", SEEN, [])
    manifest = extend(tmp_path / "one", tmp_path / "two", SEEN, PAST)
    assert manifest["root_cause"]["incidents"] == len(PAST)


def test_logs_without_requests_teach_nothing_of_them_and_that_is_said(
    model_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    extend(model_folder, tmp_path, Requests(STEPS.slice(0, 0), PARTS.slice(0, 0), ADDRESSES), [])
    found = RootCauseModel.load(tmp_path)
    assert found is not None
    assert (found.usual.flow.ranges, found.usual.waits.ranges) == ({}, {})
    assert found.usual.symptoms(SeenRequests(Counter({Step("orders", "a", "b"): 9}), {}), {}) == []
    assert "no line belongs to a request" in caplog.text
