"""Metrics of a service: one record per scrape of its Prometheus text page, series as measures."""

from __future__ import annotations

from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from faultline.records import Event, Severity
from feeder.origin import Origin, make_event, plain_event

MAX_MEASURES: Final = 200  # bounds a record; further series are counted in an attribute


def parse(origin: Origin, page: bytes, seconds: float) -> Event:
    """Return the record of a page; histograms and summaries are reduced to _sum and _count."""
    try:
        series = _series(page.decode("utf-8", "replace"))
    except ValueError as error:
        return plain_event(origin, page, f"not in Prometheus's text format: {error}")
    names = sorted(series)
    return make_event(
        origin,
        page,
        f"metrics of {origin.service_name}",
        severity=Severity.INFO,
        attributes={"url.full": origin.path, "series_left_out": max(0, len(names) - MAX_MEASURES) or None},
        measures={name: series[name] for name in names[:MAX_MEASURES]} | {"scrape.duration_seconds": seconds},
    )


def _series(page: str) -> dict[str, float]:
    """Return `name{label="value",...}` -> value, labels sorted; without buckets, quantiles and creation times."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if not sample.name.endswith(("_bucket", "_created")) and "quantile" not in sample.labels:
                found[_name(sample.name, sample.labels)] = float(sample.value)
    return found


def _name(name: str, labels: dict[str, str]) -> str:
    inside = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return f"{name}{{{inside}}}" if inside else name
