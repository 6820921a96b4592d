"""Arithmetic of the benchmarks; what they measure is not tested against the clock."""

from __future__ import annotations

import doctest

from benchmarks import latency
from benchmarks.events import make_records, make_templates
from benchmarks.workbench import counts_of, percentile
from faultline.records import Event


def test_first_batch_is_not_counted() -> None:
    batches = [{"rows": 5, "seconds": 9.0}, {"rows": 100, "seconds": 0.5}, {"rows": 50, "seconds": 0.25}]
    assert counts_of(batches) == {"rows": 150, "milliseconds": 750}


def test_percentile_is_the_nearest_rank() -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], 0.5) == 3.0
    assert percentile([1.0], 0.95) == 1.0


def test_delay_examples() -> None:
    assert doctest.testmod(latency).failed == 0


def test_templates_are_distinct_and_the_same_every_time() -> None:
    templates = make_templates(300)
    assert len(set(templates)) == 300
    assert templates == make_templates(300)


def test_records_are_valid_and_use_every_template() -> None:
    templates = make_templates(50)
    events = [Event.from_bytes(value) for value in make_records(200, templates)]
    assert len({event.event_id for event in events}) == 200
    first = {event.body.split()[0] for event in events[:50]}
    assert first == {template.split()[0] for template in templates}
