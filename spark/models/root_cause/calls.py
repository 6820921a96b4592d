"""Who calls whom, read from requests: a caller's part of a request contains the callee's in time.

For catalogs that are missing or behind: the edges are marked as learned. Works on logs alone, where a line that ends
a request says how long it took; the parent is the shortest part that contains a part, as in trace reconstruction
from timing alone (Aguilera et al. 2003, doi 10.1145/945445.945454).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from faultline.catalog.graph import Edge

TOLERANCE_SECONDS: Final = 0.005  # clocks of services on one host, and the time to write a line
MIN_REQUESTS: Final = 5  # that show a call; fewer may be two requests under one id
MIN_SHARE: Final = 0.02  # of the callee's requests; a parallel call may contain another by chance
MAX_PARTS: Final = 200  # of a request; a longer one is a batch, and n² in its parts


class Part(NamedTuple):
    """The time a service spent on a request, in seconds since whenever; begin and end are alike for a moment."""

    service_name: str
    request: str
    begin: float
    end: float


def learn_edges(parts: Iterable[Part]) -> list[Edge]:
    """Return the calls that enough requests show, by name."""
    calls: Counter[tuple[str, str]] = Counter()
    requests: Counter[str] = Counter()
    ordered = sorted(parts, key=lambda part: (part.request, part))
    for request, of_request in groupby(ordered, key=lambda part: part.request):
        if request:
            found = list(of_request)[:MAX_PARTS]
            calls.update(set(_calls(found)))
            requests.update({part.service_name for part in found})
    kept = {
        pair: count
        for pair, count in calls.items()
        if count >= MIN_REQUESTS and count >= MIN_SHARE * requests[pair[1]] and count > calls.get(pair[::-1], 0)
    }
    return [Edge(caller, callee, count) for (caller, callee), count in sorted(kept.items())]


def upstream_edges(proxied: Iterable[tuple[str, str]], addresses: dict[str, str]) -> list[Edge]:
    """Return the calls that a proxy's log names: (service of the proxy, host:port) pairs; unknown addresses are left.

    `addresses` gives the service of an address, as health checks and catalogs know it.
    """
    counts = Counter((proxy, addresses[address]) for proxy, address in proxied if address in addresses)
    return [Edge(proxy, service, count) for (proxy, service), count in sorted(counts.items()) if count >= MIN_REQUESTS]


def _calls(parts: Sequence[Part]) -> Iterator[tuple[str, str]]:
    by_service: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        by_service[part.service_name].append(part)
    for part in parts:
        around = [
            other
            for service, others in by_service.items()
            if service != part.service_name
            for other in others
            if _contains(other, part)
        ]
        if around:
            parent = min(around, key=lambda other: (other.end - other.begin, other.service_name))
            yield parent.service_name, part.service_name


def _contains(outer: Part, inner: Part) -> bool:
    longer = outer.end - outer.begin > inner.end - inner.begin
    return longer and outer.begin - TOLERANCE_SECONDS <= inner.begin and inner.end <= outer.end + TOLERANCE_SECONDS
