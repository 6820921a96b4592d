"""Run the feeder: `python -m feeder`."""

from __future__ import annotations

import signal
import threading

from prometheus_client import CollectorRegistry

from faultline.config import Environ, FeederConfig
from faultline.entry import run
from faultline.kafka_io import make_producer
from faultline.metrics import FeederMetrics, serve
from feeder.delivery import Delivery
from feeder.finding import Refusals, allow_many_open_files
from feeder.offsets import load_offsets, saved_at
from feeder.polling import Pollers
from feeder.service import Feeder
from feeder.sources import read_sources
from feeder.watching import Watcher


def main(environ: Environ) -> None:
    """Feed until SIGTERM or SIGINT."""
    config = FeederConfig.from_env(environ)
    files, polled = read_sources(config.sources, environ)
    stored, last_saved = load_offsets(config.state), saved_at(config.state)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    registry = CollectorRegistry()
    metrics = FeederMetrics(registry)
    serve(registry, config.metrics_port)
    allow_many_open_files()
    delivery = Delivery(make_producer(config.bootstrap, "feeder"), config.topics, metrics)
    refusals = Refusals(metrics.count_source_error)
    watcher = Watcher(files, stored, config.max_line_bytes, saved_at=last_saved, refusals=refusals)
    pollers = Pollers(polled, config.host_name, metrics.count_source_error)
    Feeder(config, watcher, pollers, delivery, metrics).run(stop.is_set)


if __name__ == "__main__":
    run("feeder", main)
