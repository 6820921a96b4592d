"""Which service listens where, as health checks tell, and which address a proxy passes requests on to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import pyarrow as pa

from faultline.catalog.graph import Edge
from faultline.records import Event, SourceType
from spark.models.root_cause.calls import upstream_edges
from spark.models.scoring import decode

LISTENS, PASSES_ON = "listens", "passes on"
ADDRESS_SCHEMA: Final = pa.schema(
    [("kind", pa.string()), ("service_name", pa.string()), ("address", pa.string()), ("lines", pa.int64())]
)


def address_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return ADDRESS_SCHEMA rows of an Arrow batch with a column `value`, equal ones counted."""
    events = (event for event in decode(batch.column("value").to_pylist()) if isinstance(event, Event))
    counts = Counter(found for event in events for found in _addresses(event))
    rows = [dict(zip(ADDRESS_SCHEMA.names, (*what, lines), strict=True)) for what, lines in sorted(counts.items())]
    return pa.RecordBatch.from_pylist(rows, ADDRESS_SCHEMA)


def proxied_edges(table: pa.Table) -> list[Edge]:
    """Return the calls from proxies to services that ADDRESS_SCHEMA rows show."""
    rows = table.to_pylist()
    listens = {row["address"]: row["service_name"] for row in rows if row["kind"] == LISTENS}
    passed: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row["kind"] == PASSES_ON:
            passed[row["service_name"], row["address"]] += row["lines"]
    return upstream_edges(passed, listens)


def _addresses(event: Event) -> Iterator[tuple[str, str, str]]:
    """Yield what a record tells: (kind, service, host:port). Of several upstream tries the last one answered."""
    if event.source_type is SourceType.FASTAPI_STATUS:
        address = urlsplit(event.attributes.get("url.full", "")).netloc
        if address:
            yield LISTENS, event.service_name, address
    elif upstream := event.attributes.get("upstream.address", ""):
        yield PASSES_ON, event.service_name, upstream.split(",")[-1].split(" : ")[-1].strip()
