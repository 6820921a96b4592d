"""Send the shop requests that make no sense: `python -m chaos.actions.scrambler URL RATE`."""

from __future__ import annotations

import json
import random
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import sleep
from typing import Final
from urllib.parse import urlsplit

ADD: Final = "/cart/items"
PAY: Final = "/checkout"
ANSWER_SECONDS: Final = 2.0
USER_AGENT: Final = "shop-app/4.2 (Android 15)"


def _good(path: str, rng: random.Random) -> dict[str, object]:
    if path == ADD:
        return {"product": rng.randint(1, 40), "quantity": 1}
    return {"card": f"4000{rng.randrange(10**12):012d}"}


def _broken_json(path: str, rng: random.Random) -> bytes:
    text = json.dumps(_good(path, rng))
    return text[: rng.randrange(1, len(text) - 1)].encode()


def _wrong_types(path: str, rng: random.Random) -> bytes:
    wrong: object = rng.choice([None, [], {"value": 7}, "seven", 0.5, "4000-0012-3456-7890"])
    return json.dumps(dict.fromkeys(_good(path, rng), wrong)).encode()


def _wrong_encoding(path: str, rng: random.Random) -> bytes:
    return json.dumps(_good(path, rng)).encode("cp037")  # as a mainframe writes it; UTF-16 would be read all the same


def _noise(path: str, rng: random.Random) -> bytes:
    return rng.randbytes(rng.randrange(16, 200))


def _wrong_shape(path: str, rng: random.Random) -> bytes:
    return json.dumps([_good(path, rng)]).encode()


WAYS: Final[Mapping[str, Callable[[str, random.Random], bytes]]] = {
    "broken JSON": _broken_json,
    "wrong types": _wrong_types,
    "wrong encoding": _wrong_encoding,
    "noise": _noise,
    "wrong shape": _wrong_shape,
}


def main(url: str, per_second: float) -> None:
    """Send until ended."""
    host = urlsplit(url)
    rng = random.Random()
    while True:
        send((host.hostname or "", host.port or 80), request(rng))
        sleep(rng.expovariate(per_second))


def request(rng: random.Random) -> bytes:
    """Return one whole request that the shop cannot understand; one in ten announces more than it sends."""
    path = rng.choice([ADD, PAY])
    body = rng.choice(list(WAYS.values()))(path, rng)
    missing = rng.randrange(1, 50) if rng.random() < 0.1 else 0
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: shop",
        f"User-Agent: {USER_AGENT}",
        f"Cookie: customer={rng.randint(1, 99_999)}",
        "Content-Type: application/json",
        f"Content-Length: {len(body) + missing}",
        "Connection: close",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def send(address: tuple[str, int], content: bytes) -> bytes:
    """Send one request and return the answer; empty when none came in time: the shop waits for what was announced."""
    with suppress(OSError), socket.create_connection(address, timeout=ANSWER_SECONDS) as connection:
        connection.sendall(content)
        return b"".join(iter(lambda: connection.recv(65536), b""))
    return b""


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
