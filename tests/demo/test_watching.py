"""Reading Prometheus's record of an alert."""

import socket
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry, start_http_server

from demo.watching import Watch, _runs
from faultline.config import Ports
from faultline.metrics import StreamMetrics


def test_a_gap_ends_a_run():
    series = {"metric": {"service_name": "orders"}, "values": [[10, "1"], [11, "1"], [12, "1"], [30, "1"]]}
    first, second = _runs(series)
    assert first == ("orders", datetime.fromtimestamp(10, UTC), datetime.fromtimestamp(12, UTC))
    assert second[1:] == (datetime.fromtimestamp(30, UTC),) * 2


def test_one_missed_sample_is_no_gap():
    series = {"metric": {}, "values": [[10, "1"], [12, "1"]]}
    assert len(_runs(series)) == 1


def test_a_stream_that_is_not_there_exports_nothing(watch):
    assert watch.exported("faultline_events_scored_total") is None


def test_incidents_that_nobody_makes_are_none(watch):
    assert watch.incidents(datetime.fromtimestamp(0, UTC), datetime.now(UTC)) == []


@pytest.fixture
def watch():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Watch(Ports(stream=port, incidents=port), "127.0.0.1:9", "anomalies")


def test_the_stream_s_own_page_is_summed_by_label(watch):
    registry = CollectorRegistry()
    metrics = StreamMetrics(registry)
    port = watch._stream_port
    server, thread = start_http_server(port, addr="127.0.0.1", registry=registry)
    try:
        assert watch.exported("faultline_consumer_lag_records") is None
        metrics.scored.labels("nginx_access", "semantic").inc(2)
        metrics.scored.labels("app_container_log", "semantic").inc(3)
        assert watch.exported("faultline_events_scored_total") == 5
        assert watch.exported("faultline_events_scored_total", source_type="nginx_access") == 2
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
