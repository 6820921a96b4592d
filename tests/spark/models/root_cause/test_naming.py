"""Template ids without a judgement: those that the stream gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from faultline.errors import ArtifactError
from faultline.records import Event
from spark.models.root_cause.naming import TemplateNames
from spark.models.scoring import masked_texts
from spark.models.semantic import SemanticModel

MakeEvent = Callable[..., Event]


def test_ids_are_those_of_the_model(model_folder: Path, model: SemanticModel, event: MakeEvent) -> None:
    texts = ["order 7 placed", "never seen before 12", "never seen before 13", "cache of articles renewed"]
    events = [event(body=text) for text in texts]
    names = TemplateNames.load(model_folder)
    masked: pa.Array = masked_texts(events)
    assert names.ids(events) == [verdict.template_id for verdict in model.judge(masked.to_pylist())]
    assert names.ids(events) == names.ids(events)
    known, new = set(model.references), {"INFO order <NUM> placed", "INFO never seen before <NUM>"}
    assert set(names.texts.values()) == known | new
    assert names.texts[names.ids(events)[1]] == "INFO never seen before <NUM>"


def test_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"manifest\.json is missing"):
        TemplateNames.load(tmp_path)
