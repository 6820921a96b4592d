"""Addresses of services, and what proxies pass on to them."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest

from faultline.catalog.graph import Edge
from faultline.records import Event, SourceType
from spark.models.root_cause.addresses import LISTENS, PASSES_ON, address_batch, proxied_edges

MakeEvent = Callable[..., Event]


def rows(*events: Event) -> pa.Table:
    values = pa.array([*(event.to_bytes() for event in events), b"no record"], pa.binary())
    return pa.Table.from_batches([address_batch(pa.RecordBatch.from_arrays([values], ["value"]))])


def health(event: MakeEvent, service: str, url: str) -> Event:
    return event(source_type=SourceType.FASTAPI_STATUS, service_name=service, attributes={"url.full": url})


def passed(event: MakeEvent, upstream: str) -> Event:
    told = {"upstream.address": upstream}
    return event(source_type=SourceType.NGINX_ACCESS, service_name="nginx", attributes=told, body="GET / 200")


def test_calls_of_a_proxy_are_told_by_addresses(event: MakeEvent) -> None:
    health_checks = [health(event, "orders", "http://127.0.0.1:8102/health")]
    table = rows(*health_checks, *[passed(event, "127.0.0.1:8102")] * 6, *[passed(event, "10.0.0.1:80")] * 9)
    assert proxied_edges(table) == [Edge("nginx", "orders", 6)]
    assert {row["kind"] for row in table.to_pylist()} == {LISTENS, PASSES_ON}


@pytest.mark.parametrize(
    "upstream", ["127.0.0.1:8101, 127.0.0.1:8102", "127.0.0.1:8101 : 127.0.0.1:8102", "127.0.0.1:8102"]
)
def test_of_several_tries_the_last_one_counts(event: MakeEvent, upstream: str) -> None:
    (row,) = rows(passed(event, upstream)).to_pylist()
    assert row["address"] == "127.0.0.1:8102"


def test_records_that_tell_no_address_are_left_out(event: MakeEvent) -> None:
    assert rows(event(), health(event, "orders", "no url"), passed(event, "")).num_rows == 0
