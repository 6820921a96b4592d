"""Small situations for the tests of the ranker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from faultline.anomalies import EvidenceLine
from faultline.catalog.graph import DependencyGraph, Edge
from faultline.records import SourceType
from spark.models.root_cause.symptoms import Symptom, SymptomKind

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
# storefront -> orders -> payments, inventory
SHOP = DependencyGraph([Edge("storefront", "orders"), Edge("orders", "payments"), Edge("orders", "inventory")])


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def symptom(
    service: str, kind: SymptomKind = SymptomKind.FLOW, surprise: float = 20.0, since: float | None = 0.0
) -> Symptom:
    moment = None if since is None else at(since)
    return Symptom(service_name=service, kind=kind, surprise=surprise, since=moment, text=f"{service} is odd")


def said(service: str, text: str, since: float = 0.0, surprise: float = 9.0) -> Symptom:
    line = EvidenceLine(
        body=text,
        event_id=f"{service} {since}",
        nearest_distance=1.0,
        nearest_template="",
        p_value=0.001,
        source_type=SourceType.APP_CONTAINER_LOG,
        template=text,
        timestamp=at(since),
    )
    return Symptom(
        service_name=service, kind=SymptomKind.SAID, surprise=surprise, since=at(since), text=text, line=line
    )
