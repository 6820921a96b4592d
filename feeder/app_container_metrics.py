"""Metrics of a service: one record per scrape of its Prometheus text page, series as measures."""

from __future__ import annotations

from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from faultline.records import Event, Severity
from feeder.origin import Origin, make_event

MAX_MEASURES: Final = 200  # bounds a record; further series are counted in an attribute
ALWAYS: Final = frozenset({"process_start_time_seconds"})  # tells of restarts, however long the page
MAX_NAME: Final = 500  # characters of a series with its labels
MAX_KEPT: Final = 1000  # bytes of a page that cannot be read


def parse(origin: Origin, status: int, page: bytes, seconds: float) -> Event:
    """Return the record of a page; histograms and summaries are reduced to _sum and _count."""
    if status != 200:
        return _unusable(origin, status, page, seconds, f"HTTP status {status}")
    try:
        series = _series(page.decode("utf-8", "replace"))
    except (ValueError, IndexError) as error:  # the client's parser runs past the end of a line that was cut
        return _unusable(origin, status, page, seconds, f"not in Prometheus's text format: {error}")
    usable = sorted((name for name in series if len(name) <= MAX_NAME), key=lambda name: (name not in ALWAYS, name))
    names = usable[:MAX_MEASURES]
    return make_event(
        origin,
        page[:MAX_KEPT],
        f"metrics of {origin.service_name}",
        severity=Severity.INFO,
        attributes={"url.full": origin.path, "series_left_out": (len(series) - len(names)) or None},
        measures={name: series[name] for name in names} | {"scrape.duration_seconds": seconds},
    )


def _unusable(origin: Origin, status: int, page: bytes, seconds: float, why: str) -> Event:
    return make_event(
        origin,
        page[:MAX_KEPT],
        f"metrics of {origin.service_name}: unreadable",
        severity=Severity.ERROR,
        attributes={
            "url.full": origin.path,
            "http.response.status_code": status,
            "parse.error": why[:MAX_KEPT],
            "metrics.answer": page[:MAX_KEPT].decode("utf-8", "replace"),
        },
        measures={"scrape.duration_seconds": seconds},
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
