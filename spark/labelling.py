"""Steps of the jobs that build and judge labelled records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from evaluation import champion, labelled_rows
from evaluation.labelled_rows import LabelledParquetConfig
from faultline.config import TrainConfig
from spark import streams


def read_labelled(spark: SparkSession, config: LabelledParquetConfig, environ: Mapping[str, str]) -> DataFrame:
    """Return ROW_SCHEMA rows: of a labelled set, or of topic logs labelled by an injector's journal."""
    if config.source == "journal":
        raw = streams.read_logs_now(spark, TrainConfig.from_env(environ))
        return label_by_journal(raw.select("value"), config.path)
    table = labelled_rows.set_table(config.source, config.path)
    return spark.createDataFrame(table)


def label_by_journal(raw: DataFrame, journal: Path) -> DataFrame:
    """Label each record by its time; see `labelled_rows.label_batch`."""
    faults = labelled_rows.read_journal(journal)

    def label(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield labelled_rows.label_batch(faults, batch)

    return raw.mapInArrow(label, from_arrow_schema(labelled_rows.ROW_SCHEMA))


def score_labelled(rows: DataFrame, model: Path) -> DataFrame:
    """Score labelled records with a trained model, as the stream does."""
    folder = str(model)

    def score(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield champion.score_labelled(folder, batch)

    return rows.mapInArrow(score, from_arrow_schema(champion.SCORED_SCHEMA))
