"""What could be seen of an injection: the highest value of each signal, and the first abnormal lines.

It is not part of the comparison; it says why a side missed a fault, and whether the fault left any trace at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import islice
from math import isfinite
from typing import Any, Final

import httpx

from chaos.records import OWN_SIGNALS, Evidence, Injection
from faultline.anomalies import Anomaly, read_anomaly
from faultline.config import Environ, Ports, Topics, kafka_bootstrap
from faultline.errors import DecodeError
from faultline.kafka_io import last_messages

_SHOP: Final = 'job="shop"'
_REQUESTS: Final = f"sum(rate(requests_total{{{_SHOP}}}[15s]))"
_LINES: Final = 'sum(rate(faultline_feeder_lines_read_total{source_type="app_container_log"}'
SIGNALS: Final[Mapping[str, str]] = {
    "error_ratio": (
        f'max(sum by (service_name) (rate(requests_total{{{_SHOP},status=~"5.."}}[15s]))'
        f" / sum by (service_name) (rate(requests_total{{{_SHOP}}}[15s])))"
    ),
    "client_error_ratio": f'sum(rate(requests_total{{{_SHOP},status=~"4.."}}[15s])) / {_REQUESTS}',
    "p95_seconds": (
        "max(histogram_quantile(0.95, sum by (service_name, le) "
        f"(rate(request_duration_seconds_bucket{{{_SHOP}}}[15s]))))"
    ),
    "failed_dependency_calls_per_second": (
        f'sum(rate(dependency_calls_total{{{_SHOP},outcome!~"2xx|4xx"}}[15s])) or vector(0)'
    ),
    "targets_down": f"count(up{{{_SHOP}}} == 0) or vector(0)",
    "service_cpu_cores": f"max(rate(process_cpu_seconds_total{{{_SHOP}}}[15s]))",
    "service_memory_bytes": f"max(process_resident_memory_bytes{{{_SHOP}}})",
    "host_cpu_ratio": '1 - avg(rate(node_cpu_seconds_total{mode="idle"}[15s]))',
    "requests_per_second": _REQUESTS,
    "missing_requests_ratio": f"clamp_min(1 - {_REQUESTS} / (sum(rate(requests_total{{{_SHOP}}}[5m] offset 1m))), 0)",
    "missing_log_lines_ratio": f"clamp_min(1 - {_LINES}[15s])) / ({_LINES}[5m] offset 1m))), 0)",
    "lines_of_unknown_template_15s": "sum(increase(faultline_unknown_template_events_total[15s]))",
    "abnormal_lines_15s": 'max(service_detector:faultline_anomalies:increase15s{detector="semantic"})',
    "abnormal_seconds_5s": "max(service:faultline_abnormal_seconds:increase5s)",
    "abnormal_sessions_15s": 'max(service_detector:faultline_anomalies:increase15s{detector="session"})',
    "stream_lag_records": "sum(faultline_consumer_lag_records)",
    "stream_batch_seconds": "max(faultline_batch_duration_seconds)",
}
# Signals of the watched system alone: what our own detectors made of it is no trace.
TRACES: Final = tuple(name for name in SIGNALS if not name.startswith(OWN_SIGNALS))
CLEARLY_OUT: Final = 1.25  # times the highest value of normal time
BEFORE_SECONDS: Final = 60
AFTER_SECONDS: Final = 10
SHOWN_LINES: Final = 5
READ_BACK: Final = 2000  # messages of topic anomalies


def collect(environ: Environ, injection: Injection, normal_highest: Mapping[str, float] | None) -> Evidence:
    """Return what Prometheus and topic anomalies know of an injection; raises httpx.HTTPError.

    `normal_highest`: the highest values of normal time, None when none was watched: then nothing is called a trace.
    """
    before = injection.start - timedelta(seconds=BEFORE_SECONDS), injection.start
    during = highest(environ, injection.start, injection.end + timedelta(seconds=AFTER_SECONDS))
    return Evidence(
        number=injection.number,
        during=during,
        before=highest(environ, *before),
        traces=() if normal_highest is None else out_of_range(during, normal_highest),
        lines=abnormal_lines(environ, injection),
    )


def out_of_range(during: Mapping[str, float], normal_highest: Mapping[str, float]) -> tuple[str, ...]:
    """Return the signals that went clearly above the highest value of normal time; one that normal time lacks counts.

    >>> out_of_range({"p95_seconds": 2.0, "error_ratio": 0.0}, {"p95_seconds": 0.1, "error_ratio": 0.0})
    ('p95_seconds',)
    """
    return tuple(
        name for name in TRACES if during.get(name, 0.0) > max(normal_highest.get(name, 0.0) * CLEARLY_OUT, 1e-3)
    )


def highest(environ: Environ, start: datetime, end: datetime) -> dict[str, float]:
    """Return the highest value of each signal in a stretch of time; a signal without values is left out."""
    url = f"http://127.0.0.1:{Ports.from_env(environ).prometheus}/api/v1/query_range"
    step = max(1, int((end - start).total_seconds() // 5000))  # Prometheus answers 11,000 points at most
    times: dict[str, str | float] = {"start": start.timestamp(), "end": end.timestamp(), "step": step}
    found: dict[str, float] = {}
    with httpx.Client(timeout=20) as client:
        for name, query in SIGNALS.items():
            answer = client.get(url, params={"query": query, **times})
            answer.raise_for_status()
            values = _values(answer.json()["data"]["result"])
            if values:
                found[name] = round(max(values), 6)
    return found


def _values(result: Iterable[dict[str, Any]]) -> list[float]:
    values = (float(value) for series in result for _, value in series["values"])
    return [value for value in values if isfinite(value)]  # NaN: nothing to divide by


def abnormal_lines(environ: Environ, injection: Injection) -> tuple[str, ...]:
    """Return the first abnormal lines written during an injection, in order of time."""
    found = sorted(_recent(environ), key=lambda anomaly: anomaly.timestamp)
    within = (a for a in found if injection.start <= a.timestamp <= injection.end)
    return tuple(f"{a.service_name}: {a.severity} {a.body}"[:300] for a in islice(within, SHOWN_LINES))


def _recent(environ: Environ) -> Iterable[Anomaly]:
    for message in last_messages(kafka_bootstrap(environ), Topics.from_env(environ).anomalies, READ_BACK):
        try:
            anomaly = read_anomaly(message.value() or b"")
        except DecodeError:  # of another version; the stream and ./run status report it
            continue
        if isinstance(anomaly, Anomaly):
            yield anomaly
