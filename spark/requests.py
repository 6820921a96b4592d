"""Steps over requests, DataFrame in, DataFrame out: which line follows which, and who calls whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from spark.models.root_cause.addresses import ADDRESS_SCHEMA, address_batch
from spark.models.root_cause.counting import REQUEST_SCHEMA, STEP_SCHEMA, request_batch, step_batch
from spark.models.root_cause.naming import TemplateNames

MAX_PARTS: Final = 500_000  # lines that calls are learned from; some 50 MB on the driver


def read_requests(raw: DataFrame, model: Path, pattern: str) -> DataFrame:
    """Return a row for every line that belongs to a request, with a model's templates; others are left out."""
    folder = str(model)

    def read(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        names = TemplateNames.load(Path(folder))
        for batch in batches:
            yield request_batch(names, batch, pattern)

    return raw.mapInArrow(read, from_arrow_schema(REQUEST_SCHEMA))


def count_steps(requests: DataFrame) -> DataFrame:
    """Count the steps of whole requests by service and time."""

    def count(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield step_batch(batch.column("rows").to_pylist())

    whole = requests.groupBy("request").agg(F.collect_list(F.struct(*REQUEST_SCHEMA.names)).alias("rows"))
    counted = whole.select("rows").mapInArrow(count, from_arrow_schema(STEP_SCHEMA))
    keys = [name for name in STEP_SCHEMA.names if name != "taken"]
    return counted.groupBy(*keys).agg(F.sum("taken").alias("taken"))


def sample_parts(requests: DataFrame) -> DataFrame:
    """Return what calls are learned from, of whole requests, at most MAX_PARTS lines."""
    return requests.select("request", "service_name", "begin", "end").orderBy(F.hash("request"), "end").limit(MAX_PARTS)


def count_addresses(raw: DataFrame) -> DataFrame:
    """Count which service listens where, and which address a proxy passes requests on to."""

    def count(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield address_batch(batch)

    counted = raw.mapInArrow(count, from_arrow_schema(ADDRESS_SCHEMA))
    keys = [name for name in ADDRESS_SCHEMA.names if name != "lines"]
    return counted.groupBy(*keys).agg(F.sum("lines").alias("lines"))
