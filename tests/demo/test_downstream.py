import asyncio
import logging

import httpx
import pytest

from demo.downstream import Downstream, open_client
from demo.errors import DependencyError
from demo.telemetry import ShopMetrics


def call(answer, method="GET"):
    """Return the result of one call whose requests are answered by `answer(attempt)`, and the metrics."""
    attempts = iter(range(1, 10))
    metrics = ShopMetrics()

    async def run():
        transport = httpx.MockTransport(lambda request: answer(next(attempts)))
        async with open_client("http://shop", "token-1", 2.0, transport) as client:
            return await Downstream("payments", client, metrics, logging.getLogger("shop.orders")).call(method, "/x")

    return asyncio.run(run()), metrics


def fail(error):
    def answer(attempt):
        raise error

    return answer


def refuse_first(attempt):
    if attempt == 1:
        raise httpx.ConnectError("connection refused")
    return httpx.Response(200, json={})


def test_refused_connection_is_tried_once_more(caplog):
    response, metrics = call(refuse_first, "POST")
    assert response.status_code == 200
    assert caplog.messages == ["calling payments failed: ConnectError: connection refused (attempt 1)"]
    labels = {"dependency": "payments", "outcome": "unreachable"}
    assert metrics.registry.get_sample_value("dependency_calls_total", labels) == 1


def test_the_token_goes_with_every_request():
    shown = []

    def answer(request):
        shown.append(request.headers["Authorization"])
        return httpx.Response(200)

    async def run():
        async with open_client("http://shop", "token-1", 2.0, httpx.MockTransport(answer)) as client:
            await client.get("/x", headers={"X-Request-ID": "r"})

    asyncio.run(run())
    assert shown == ["Bearer token-1"]


def test_answer_below_500_is_for_the_caller():
    assert call(lambda attempt: httpx.Response(402, json={"error": "no"}))[0].status_code == 402


UNREACHABLE = fail(httpx.ConnectError("refused"))
SLOW = fail(httpx.ReadTimeout(""))
BROKEN = fail(httpx.RemoteProtocolError("Server disconnected"))


def rejected(attempt):
    assert attempt == 1, "a token does not become right by being shown again"
    return httpx.Response(401, json={"error": "the token is not the current one"})


def unavailable(attempt):
    return httpx.Response(503, json={"error": "database is locked"})


def crashed(attempt):
    return httpx.Response(500, text="oops")


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        (UNREACHABLE, 502, "payments is unreachable after 2 attempts: ConnectError: refused"),
        (SLOW, 504, "payments did not answer within 2 s: ReadTimeout"),
        (BROKEN, 502, "connection to payments broke: RemoteProtocolError: Server disconnected"),
        (unavailable, 503, "payments answered 503: database is locked"),
        (rejected, 502, "payments rejected the credentials of this service: the token is not the current one"),
        (crashed, 502, "payments answered 500: oops"),
    ],
)
def test_failure_is_named_and_has_a_status(answer, status, text):
    with pytest.raises(DependencyError) as caught:
        call(answer)
    assert (caught.value.status, str(caught.value)) == (status, text)
