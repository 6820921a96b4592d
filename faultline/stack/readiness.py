"""Probes: each looks once, within a second, and returns None when a program is ready or what is missing."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable

Probe = Callable[[], str | None]
PROBE_SECONDS = 1.0


def port_open(port: int) -> Probe:
    """Ready when something accepts connections on 127.0.0.1."""

    def probe() -> str | None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=PROBE_SECONDS).close()
        except OSError as error:
            return f"port {port}: {_reason(error)}"
        return None

    return probe


def http_ok(port: int, path: str) -> Probe:
    """Ready when GET on 127.0.0.1 answers 200; asks directly, whatever proxy the environment names."""

    def probe() -> str | None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_SECONDS)
        try:
            connection.request("GET", path)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return f"GET :{port}{path}: {_reason(error)}"
        finally:
            connection.close()
        return None if status == 200 else f"GET :{port}{path}: status {status}, expected 200"

    return probe


def broker_answers(port: int) -> Probe:
    """Ready when the broker lists its topics: the port opens a little before the broker serves."""
    listening = port_open(port)

    def probe() -> str | None:
        return listening() or _metadata_problem(port)

    return probe


def _metadata_problem(port: int) -> str | None:
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0})
    try:
        brokers = admin.list_topics(timeout=PROBE_SECONDS).brokers
    except KafkaException as error:
        return f"broker on port {port}: {error.args[0].str()}"
    return None if brokers else f"broker on port {port}: not registered yet"


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens yet"
    if isinstance(error, TimeoutError):
        return f"no answer within {PROBE_SECONDS:g} s"
    return str(error) or type(error).__name__
