"""What the demo sees of the pipeline: the same pages an engineer on call would open."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec

from faultline.alerts import FiringAlert, firing_alerts
from faultline.anomalies import Anomaly, AnyAnomaly, ServiceAnomaly, read_anomaly
from faultline.config import Ports
from faultline.exported import exported
from faultline.incidents import Incident
from faultline.kafka_io import read_topic


class _Page(msgspec.Struct):
    incidents: list[Incident]


class Watch:
    """Reads Alertmanager, Prometheus and the topic `anomalies` of one embedded stack."""

    def __init__(self, ports: Ports, bootstrap: str, anomalies_topic: str) -> None:
        self._alertmanager_port = ports.alertmanager
        self._stream_port = ports.stream
        self._incidents = f"http://127.0.0.1:{ports.incidents}/v1/incidents"
        self._prometheus = f"http://127.0.0.1:{ports.prometheus}"
        self._bootstrap = bootstrap
        self._topic = anomalies_topic

    def alerts(self) -> list[FiringAlert]:
        """Return the alerts that fire now, first first."""
        return firing_alerts(self._alertmanager_port)

    def value(self, query: str, at: datetime | None = None) -> float | None:
        """Return the first value of an instant query, None when it has no result; `at` defaults to now."""
        params: dict[str, str | float] = {"query": query} | ({} if at is None else {"time": at.timestamp()})
        answer = httpx.get(f"{self._prometheus}/api/v1/query", params=params, timeout=5)
        answer.raise_for_status()
        result = answer.json()["data"]["result"]
        return float(result[0]["value"][1]) if result else None

    def exported(self, name: str, **labels: str) -> float | None:
        """Return the sum of a metric on the stream's own page, None when it is not there (yet)."""
        return exported(self._stream_port, name, **labels)

    def intervals(self, alert: str, start: datetime, end: datetime) -> list[tuple[str, datetime, datetime]]:
        """Return (service, first second, last second) of each time an alert fired, from Prometheus's own record."""
        query = f'ALERTS{{alertname="{alert}",alertstate="firing"}}'
        params: dict[str, str | float] = {"query": query, "start": start.timestamp(), "end": end.timestamp(), "step": 1}
        answer = httpx.get(f"{self._prometheus}/api/v1/query_range", params=params, timeout=10)
        answer.raise_for_status()
        return [interval for series in answer.json()["data"]["result"] for interval in _runs(series)]

    def anomalies(self, start: datetime, end: datetime) -> list[Anomaly]:
        """Return the abnormal lines written between two times, each once, in order of time."""
        found = {a.event_id: a for a in self._records() if isinstance(a, Anomaly) and start <= a.timestamp <= end}
        return sorted(found.values(), key=lambda anomaly: anomaly.timestamp)

    def incidents(self, start: datetime, end: datetime) -> list[Incident]:
        """Return the incidents that were opened between two times, first first; none when nobody makes any."""
        try:
            answer = httpx.get(self._incidents, params={"limit": 100}, timeout=5)
            answer.raise_for_status()
        except httpx.HTTPError:
            return []
        found = msgspec.json.decode(answer.content, type=_Page).incidents
        chosen = [incident for incident in found if start <= incident.opened_at <= end]
        return sorted(chosen, key=lambda incident: incident.opened_at)

    def services(self, start: datetime, end: datetime) -> list[ServiceAnomaly]:
        """Return what was said of abnormal services between two times, each once, in order of time."""
        found = {
            a.event_id: a for a in self._records() if isinstance(a, ServiceAnomaly) and start <= a.window_end <= end
        }
        return sorted(found.values(), key=lambda anomaly: (anomaly.window_end, anomaly.service_name))

    def _records(self) -> Iterator[AnyAnomaly]:
        return (read_anomaly(message.value() or b"") for message in read_topic(self._bootstrap, self._topic))


def _runs(series: dict[str, Any]) -> list[tuple[str, datetime, datetime]]:
    """Split a series of samples one second apart into runs without a gap."""
    service = series["metric"].get("service_name", "")
    runs: list[list[float]] = []
    for moment, _ in series["values"]:
        if runs and moment - runs[-1][-1] <= 2:
            runs[-1].append(moment)
        else:
            runs.append([moment])
    return [(service, datetime.fromtimestamp(run[0], UTC), datetime.fromtimestamp(run[-1], UTC)) for run in runs]
