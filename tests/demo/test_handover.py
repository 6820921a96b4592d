import asyncio
import socket

import pytest

from demo.handover import Handover, steer_to_newest
from demo.serve import listen
from faultline.errors import StackError


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-request-id", b"1")]})
    await send({"type": "http.response.body", "body": b"ok"})


def answer_of(handover):
    """Return the messages that one request is answered with."""
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(handover({"type": "http"}, None, send))
    return sent


def test_connections_are_kept_until_asked_to_leave():
    handover = Handover(app)
    assert answer_of(handover)[0]["headers"] == [(b"x-request-id", b"1")]
    handover.leave()
    start, body = answer_of(handover)
    assert start["headers"] == [(b"x-request-id", b"1"), (b"connection", b"close")]
    assert body == {"type": "http.response.body", "body": b"ok"}


def connect(port, listeners, count=20):
    """Make connections and return how many each listener got."""
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    got = [accept_all(listener) for listener in listeners]
    for client in clients:
        client.close()
    return got


def accept_all(listener):
    listener.setblocking(False)
    count = 0
    while True:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return count
        connection.close()
        count += 1


def test_new_connections_go_to_the_newest_instance_that_listens():
    with listen("orders", 0) as old:
        port = old.getsockname()[1]
        old.listen(50)
        with listen("orders", port, beside=True) as new:
            assert connect(port, [old]) == [20]  # the new one is not ready yet
            new.listen(50)
            assert connect(port, [old, new]) == [0, 20]
            old.close()
            assert connect(port, [new]) == [20]
            with listen("orders", port, beside=True) as newest:
                newest.listen(50)
                assert connect(port, [new, newest]) == [0, 20]


def test_a_socket_that_cannot_be_steered_stays_usable():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        steer_to_newest(other)
        assert other.fileno() >= 0


def test_second_instance_is_refused_unless_it_stands_beside_the_first():
    with listen("orders", 0) as first:
        first.listen()
        port = first.getsockname()[1]
        with pytest.raises(StackError, match=f"orders cannot listen on 127.0.0.1:{port}: Address already in use"):
            listen("orders", port)
        listen("orders", port, beside=True).close()
