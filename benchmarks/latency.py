"""From a line written to its metric visible, at 1,000 lines a second, through feeder, Kafka and stream."""

from __future__ import annotations

import json
import threading
from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

import httpx

from benchmarks.workbench import Result, Workbench, percentile, standard_templates
from faultline.config import Ports

RATE = 1000
SECONDS = 60
WARM_SECONDS = 15  # the first micro-batches load the model
DEADLINE_SECONDS = 60

_SOURCES = """sources:
  - {{ source_type: app_container_log, service_name: bench, path: "{path}" }}
"""


def measure(bench: Workbench) -> Result:
    """Write RATE lines a second to a watched file; note when the stream's and Prometheus's count includes each."""
    templates = standard_templates()
    bench.train(templates)
    watched = bench.paths.watched_logs / "bench.log"
    watched.parent.mkdir(parents=True, exist_ok=True)
    watched.touch()
    sources = bench.paths.home / "latency-sources.yaml"
    sources.write_text(_SOURCES.format(path=watched))
    stack = type(bench.stack).from_env({**bench.environ, "FAULTLINE_SOURCES": str(sources)}, bench.progress)
    stack.down()
    stack.up(["feeder", "prometheus", "stream"])
    ports = Ports.from_env(bench.environ)
    counts = {"exported": _exported(ports), "in_prometheus": _in_prometheus(ports)}
    written, seen = _drive(watched, templates, counts, bench)
    result: Result = {"lines_per_second": RATE, "lines": len(written), "targets": {"exported_p95_seconds": "<= 2"}}
    for name, points in seen.items():
        delays = delays_of(written, points)[WARM_SECONDS * RATE :]
        result |= {f"{name}_p50_seconds": round(percentile(delays, 0.5), 2)}
        result |= {f"{name}_p95_seconds": round(percentile(delays, 0.95), 2)}
    result["ratio_p95_to_target"] = round(result["exported_p95_seconds"] / 2, 3)
    return result


def delays_of(written: list[float], points: list[tuple[float, float]]) -> list[float]:
    """Return for line i the time from writing it to the first look whose count is above i.

    >>> delays_of([0.0, 1.0], [(1.0, 0), (1.5, 1), (3.0, 2)])
    [1.5, 2.0]
    """
    counts = [count for _, count in points]
    return [points[bisect_left(counts, i + 1)][0] - moment for i, moment in enumerate(written)]


def _drive(
    path: Path, templates: list[str], counts: dict[str, Callable[[], float]], bench: Workbench
) -> tuple[list[float], dict[str, list[tuple[float, float]]]]:
    written: list[float] = []
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in counts}
    writer = threading.Thread(target=_write, args=(path, templates, written))
    writer.start()
    deadline = monotonic() + SECONDS + DEADLINE_SECONDS
    total = RATE * SECONDS
    while not all(points and points[-1][1] >= total for points in seen.values()):
        for name, count in counts.items():
            value = count()
            seen[name].append((monotonic(), value))
        if monotonic() > deadline:
            raise TimeoutError(f"not all of {total} lines became visible: { {n: p[-1][1] for n, p in seen.items()} }")
        bench.progress.waiting(f"latency: {seen['exported'][-1][1]:.0f} of {total} lines visible")
        sleep(0.02)
    writer.join()
    return written, seen


def _write(path: Path, templates: list[str], written: list[float]) -> None:
    """Append lines at a steady rate, ten at a time, noting when each was written."""
    begin = monotonic()
    with path.open("a", buffering=1) as file:
        for number in range(RATE * SECONDS):
            due = begin + number // 10 * 10 / RATE
            if (wait := due - monotonic()) > 0:
                sleep(wait)
            message = templates[number % len(templates)].format(number, number % 97)
            fields = {"timestamp": datetime.now(UTC).isoformat(), "level": "INFO", "message": message}
            written.append(monotonic())
            file.write(json.dumps(fields) + "\n")


def _exported(ports: Ports) -> Callable[[], float]:
    client = httpx.Client(timeout=5)

    def count() -> float:
        page = client.get(f"http://127.0.0.1:{ports.stream}/metrics").text
        prefix = "faultline_events_scored_total{"
        return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(prefix))

    return count


def _in_prometheus(ports: Ports) -> Callable[[], float]:
    client = httpx.Client(timeout=5)
    url = f"http://127.0.0.1:{ports.prometheus}/api/v1/query"

    def count() -> float:
        result = client.get(url, params={"query": "sum(faultline_events_scored_total)"}).json()["data"]["result"]
        return float(result[0]["value"][1]) if result else 0.0

    return count
