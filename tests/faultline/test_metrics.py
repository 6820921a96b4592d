"""Metrics: names, bounded labels, and the page they are read from."""

from __future__ import annotations

import re
import socket
import urllib.request

import pytest
from prometheus_client import CollectorRegistry

from faultline.errors import StackError
from faultline.metrics import BoundedLabel, FeederMetrics, StreamMetrics, serve

ALLOWED_LABELS = {"source_type", "service_name", "detector", "reason", "partition", "version"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_bounded_label_folds_what_comes_after_the_limit() -> None:
    label = BoundedLabel(2)
    assert [label(name) for name in ("a", "b", "c", "a", "d", "b")] == ["a", "b", "other", "a", "other", "b"]


@pytest.mark.parametrize("metrics", [FeederMetrics, StreamMetrics])
def test_names_have_prefix_unit_and_help_and_labels_are_a_closed_set(metrics: type[StreamMetrics]) -> None:
    registry = CollectorRegistry()
    made = metrics(registry)
    for family in registry.collect():
        assert re.fullmatch(r"faultline_[a-z]+(_[a-z]+)*", family.name)
        assert family.documentation.endswith(".")
    for metric in vars(made).values():
        assert set(metric._labelnames) <= ALLOWED_LABELS


def test_both_fit_into_one_registry() -> None:
    registry = CollectorRegistry()
    FeederMetrics(registry)
    StreamMetrics(registry)


def test_metrics_are_served_on_loopback() -> None:
    registry, port = CollectorRegistry(), free_port()
    StreamMetrics(registry).read.inc(3)
    serve(registry, port)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
        assert b"\nfaultline_events_read_total 3.0\n" in page.read()


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StackError) as caught:
            serve(CollectorRegistry(), port)
    assert str(caught.value) == (
        f"metrics cannot be served on 127.0.0.1:{port}: Address already in use;"
        " free the port or set FAULTLINE_PORT_<NAME>"
    )
