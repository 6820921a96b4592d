import logging
import sqlite3

import pytest
from fastapi.testclient import TestClient

from demo import inventory, orders, payments, storefront
from demo.service import Service, build_app

MODULES = {"inventory": inventory, "payments": payments, "orders": orders, "storefront": storefront}


async def start_nothing(service, app, stack):
    """A service that needs nothing."""


@pytest.fixture
def broken(config):
    """A service one of whose routes fails in a way nobody foresaw."""
    app = build_app(Service("storefront", config), start_nothing)

    @app.get("/broken/{number}")
    async def fail(number: int) -> None:
        raise ZeroDivisionError(f"number {number}")

    return app


@pytest.mark.parametrize("name", sorted(MODULES))
def test_health_and_metrics_of_every_service(config, name):
    with TestClient(MODULES[name].create_app(Service(name, config))) as client:
        health = client.get("/health")
        metrics = client.get("/metrics").text
    check = "catalogue" if name == "storefront" else "store"
    assert health.json() == {"status": "ok", "service": name, "version": "1.0.0", "checks": {check: "ok"}}
    assert 'requests_total{method="GET",route="/health",status="200"} 1.0' in metrics
    assert 'request_duration_seconds_bucket{le="0.005",method="GET",route="/health"}' in metrics


def test_health_is_degraded_while_the_store_is_locked(config):
    with TestClient(payments.create_app(Service("payments", config))) as client:
        other = sqlite3.connect(config.stores / "payments.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        health = client.get("/health")
        other.close()
    assert health.status_code == 503
    assert health.json()["status"] == "degraded"
    assert health.json()["checks"] == {"store": "OperationalError: database is locked"}


def test_unforeseen_error_is_logged_with_its_stack_and_answered(broken, caplog):
    with TestClient(broken) as client:
        answer = client.get("/broken/7", headers={"X-Request-ID": "r7"})
        metrics = client.get("/metrics").text
    assert (answer.status_code, answer.json()) == (500, {"error": "internal error"})
    assert answer.headers["x-request-id"] == "r7"
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "unexpected ZeroDivisionError in GET /broken/7: number 7"
    assert record.exc_info is not None
    assert 'requests_total{method="GET",route="/broken/{number}",status="500"} 1.0' in metrics


def test_unmatched_paths_share_one_label(broken):
    with TestClient(broken) as client:
        for path in ("/a", "/b"):
            client.get(path)
        metrics = client.get("/metrics").text
    assert 'requests_total{method="GET",route="unmatched",status="404"} 2.0' in metrics
