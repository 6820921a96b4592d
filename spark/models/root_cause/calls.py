"""Who calls whom, read from requests: a caller's part of a request contains the callee's in time.

For catalogs that are missing or behind: the edges are marked as learned. Works on logs alone, where a line that ends
a request says how long it took; the parent is the shortest part that contains a part, as in trace reconstruction
from timing alone (Aguilera et al. 2003, doi 10.1145/945445.945454).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from statistics import median
from typing import Final, NamedTuple

from faultline.catalog.graph import Edge
from spark.models.root_cause.flow import SPREAD
from spark.models.root_cause.numbers import NumberProfile, Series

TOLERANCE_SECONDS: Final = 0.005  # clocks of services on one host, and the time to write a line
MIN_REQUESTS: Final = 5  # that show a call; fewer may be two requests under one id
MIN_SHARE: Final = 0.1  # of the callee's requests; a parallel call may contain another by chance
MAX_PARTS: Final = 200  # of a request; a longer one is a batch, and n² in its parts
WAIT_REQUESTS: Final = 10  # whose median one of them that is slow by chance does not move


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


def waits(parts: Iterable[Part]) -> dict[Series, list[float]]:
    """Return how long callers wait around each service they call, beyond its own time: ln(1 + milliseconds).

    That is the time before its part of a request since the call before it, and after the last call: on the way, in a
    queue, or in the caller. A logarithm, so that a range is one of factors. Each value is the median of WAIT_REQUESTS
    requests that followed each other, so that a busy way tells of its state within seconds, and a quiet one at all.
    """
    found: dict[Series, list[tuple[float, float]]] = defaultdict(list)
    ordered = sorted(parts, key=lambda part: (part.request, part))
    for request, of_request in groupby(ordered, key=lambda part: part.request):
        if request:
            kept = list(of_request)[:MAX_PARTS]
            end = max(part.end for part in kept)
            for caller, callee, seconds in _waits(kept):
                found[wait_series(caller, callee)].append((end, seconds))
    medians = {series: list(_medians(sorted(values))) for series, values in sorted(found.items())}
    return {series: values for series, values in medians.items() if values}


def _medians(values: Sequence[tuple[float, float]]) -> Iterator[float]:
    for start in range(0, len(values) - WAIT_REQUESTS + 1, WAIT_REQUESTS):
        yield math.log1p(1000 * median(seconds for _, seconds in values[start : start + WAIT_REQUESTS]))


def wait_series(caller: str, callee: str) -> Series:
    """Return what the wait of a caller for a service is called."""
    return Series(callee, f"wait of {caller} for it", caller)


def wait_profile(parts: Iterable[Part]) -> NumberProfile:
    """Return the usual range of every wait; some of the time may be faulty."""
    return NumberProfile.fit(waits(parts), SPREAD)


def upstream_edges(passed: Mapping[tuple[str, str], int], listens: Mapping[str, str]) -> list[Edge]:
    """Return the calls that proxies log: `passed` counts (proxy, host:port), `listens` is the service of an address.

    Addresses that nobody is known to listen at are left out.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for (proxy, address), requests in passed.items():
        if address in listens:
            counts[proxy, listens[address]] += requests
    return [Edge(proxy, service, count) for (proxy, service), count in sorted(counts.items()) if count >= MIN_REQUESTS]


def _calls(parts: Sequence[Part]) -> Iterator[tuple[str, str]]:
    for parent, children in _children(parts).items():
        for child in children:
            yield parent.service_name, child.service_name


def _waits(parts: Sequence[Part]) -> Iterator[tuple[str, str, float]]:
    """Yield (caller, callee, seconds) for every call of a request; what lies between two calls is told of the later."""
    for parent, children in _children(parts).items():
        before = parent.begin
        ordered = sorted((child for child in children if child.end > child.begin), key=lambda child: child.begin)
        for child in ordered:
            after = parent.end - child.end if child is ordered[-1] else 0.0
            yield parent.service_name, child.service_name, max(child.begin - before, 0.0) + max(after, 0.0)
            before = max(before, child.end)


def _children(parts: Sequence[Part]) -> dict[Part, list[Part]]:
    """Return the parts that each part called: it is the shortest one around them."""
    found: dict[Part, list[Part]] = defaultdict(list)
    for part in dict.fromkeys(parts):
        around = [other for other in parts if other.service_name != part.service_name and _contains(other, part)]
        if around:
            parent = min(around, key=lambda other: (other.end - other.begin, other.service_name))
            found[parent].append(part)
    return found


def _contains(outer: Part, inner: Part) -> bool:
    longer = outer.end - outer.begin > inner.end - inner.begin
    return longer and outer.begin - TOLERANCE_SECONDS <= inner.begin and inner.end <= outer.end + TOLERANCE_SECONDS
