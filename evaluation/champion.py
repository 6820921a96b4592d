"""How good the champion is on labelled records, scored by the stream's own code."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from evaluation.datasets.labelled import TEST
from evaluation.metrics import measure
from faultline.errors import TrainingDataError
from faultline.reporting import plain
from spark.models.scoring import load_model, score_batch

SCORED_SCHEMA: Final = pa.schema(
    [
        ("session", pa.string()),
        ("split", pa.string()),
        ("label", pa.int8()),
        ("score", pa.float32()),  # null: the record could not be decoded
        ("is_anomaly", pa.bool_()),
    ]
)
SEED: Final = 7


def score_labelled(model: str, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return SCORED_SCHEMA rows, one a labelled record; `model` is the folder of a trained model."""
    n = len(batch)
    raw = pa.RecordBatch.from_pydict(
        {
            "value": batch.column("value"),
            "topic": pa.array(["labelled"] * n, pa.string()),
            "partition": pa.array([0] * n, pa.int32()),
            "offset": pa.array(range(n), pa.int64()),
        }
    )
    scored = score_batch(load_model(model), raw)
    columns = [batch.column(name) for name in ("session", "split", "label")]
    return pa.RecordBatch.from_arrays(
        [*columns, scored.column("score"), scored.column("is_anomaly")], schema=SCORED_SCHEMA
    )


def judge_sessions(scored: pd.DataFrame) -> dict[str, Any]:
    """Return the metrics over test sessions: a session is as abnormal as its most abnormal line.

    Raises TrainingDataError when no test session is there.
    """
    test = scored[scored["split"] == TEST]
    if test.empty:
        raise TrainingDataError("the labelled records hold no test session, expected some; build them anew")
    sessions = test.groupby("session", sort=True).agg({"label": "max", "score": "max", "is_anomaly": "any"})
    labels = sessions["label"].to_numpy(np.int64)
    scores = sessions["score"].fillna(0.0).to_numpy(np.float32)
    metrics = measure(labels, scores, sessions["is_anomaly"].to_numpy(bool), SEED)
    return {"sessions": len(labels), "abnormal": int(labels.sum()), "lines": len(test), **asdict(metrics)}


def write_metrics(path: Path, metrics: dict[str, Any]) -> None:
    """Write metrics as JSON; what cannot be told is null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(plain(metrics), indent=2, sort_keys=True))
