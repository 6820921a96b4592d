"""Resident memory of the streaming job while millions of events pass: it has to stay flat."""

from __future__ import annotations

import subprocess
import threading
from time import monotonic, sleep

import httpx
import numpy as np
import psutil

from benchmarks.events import make_records, produce
from benchmarks.workbench import Result, Workbench, standard_templates
from faultline.config import Ports
from faultline.stack.spark_submit import submit_command

EVENTS = 5_000_000
STALL_SECONDS = 120


def measure(bench: Workbench) -> Result:
    """Stream EVENTS records with 2,000 templates; sample the memory of the job and its workers every second."""
    templates = standard_templates()
    bench.train(templates)
    environ = bench.topic("memory") | {"FAULTLINE_CHECKPOINT": str(bench.paths.home / "memory-checkpoint")}
    topic = environ["FAULTLINE_TOPIC_LOGS"]
    argv, job = submit_command("semantic_inference.py", [], environ)
    with (
        (bench.paths.home / "memory.log").open("wb") as log,
        subprocess.Popen(argv, env=job, stdout=log, stderr=log) as process,
    ):
        try:
            writer = threading.Thread(target=produce, args=(bench.bootstrap, topic, make_records(EVENTS, templates)))
            writer.start()
            samples = _sample(bench, process.pid)
            writer.join()
        finally:
            process.terminate()
    return _summary(samples, len(templates))


def _sample(bench: Workbench, pid: int) -> list[tuple[int, float]]:
    """Return (events read, MiB resident) about every second until all are read."""
    url = f"http://127.0.0.1:{Ports.from_env(bench.environ).stream}/metrics"
    samples: list[tuple[int, float]] = []
    last_progress = monotonic()
    while not samples or samples[-1][0] < EVENTS:
        sleep(1)
        read = _events_read(url)
        if samples and read > samples[-1][0]:
            last_progress = monotonic()
        if monotonic() - last_progress > STALL_SECONDS:
            raise TimeoutError(f"no event for {STALL_SECONDS} s at {read} of {EVENTS}; see memory.log")
        samples.append((read, _resident(pid)))
        bench.progress.waiting(f"memory: {read:,} of {EVENTS:,} events, {samples[-1][1]:.0f} MiB")
    return samples


def _events_read(url: str) -> int:
    try:
        page = httpx.get(url, timeout=5).text
    except httpx.HTTPError:
        return 0  # not up yet; the stall limit above ends a job that never comes up
    lines = [line for line in page.splitlines() if line.startswith("faultline_events_read_total ")]
    return int(float(lines[0].split()[1])) if lines else 0


def _resident(pid: int) -> float:
    total = 0
    root = psutil.Process(pid)
    for process in (root, *root.children(recursive=True)):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 2**20


def _summary(samples: list[tuple[int, float]], templates: int) -> Result:
    """Compare the second million with the last one: start-up and the first heap growth are not the question."""
    events = np.array([read for read, _ in samples], float)
    resident = np.array([mib for _, mib in samples])
    early = resident[(events > EVENTS * 0.2) & (events <= EVENTS * 0.4)]
    late = resident[events > EVENTS * 0.8]
    return {
        "events": EVENTS,
        "templates": templates,
        "resident_mib_second_fifth": round(float(np.median(early))),
        "resident_mib_last_fifth": round(float(np.median(late))),
        "resident_mib_peak": round(float(resident.max())),
        "ratio_last_to_second_fifth": round(float(np.median(late) / np.median(early)), 3),
        "targets": {"ratio_last_to_second_fifth": "about 1: flat"},
        "series": [[read, round(mib)] for read, mib in samples[:: max(1, len(samples) // 60)]],
    }
