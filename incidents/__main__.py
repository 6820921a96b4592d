"""Group anomalies to incidents and rank their causes: `python -m incidents`."""

from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path

import httpx
import uvicorn
from prometheus_client import CollectorRegistry

from faultline.catalog.entities import Catalog
from faultline.catalog.graph import DependencyGraph
from faultline.catalog.reading import read_catalog
from faultline.config import Environ
from faultline.entry import run
from faultline.incident_config import IncidentConfig
from faultline.kafka_io import make_producer
from faultline.metrics import IncidentMetrics
from incidents.api import Context, build_app
from incidents.kafka import TopicReader
from incidents.service import IncidentService
from incidents.store import IncidentStore
from incidents.surroundings import RecentChanges, Requests
from incidents.telling import Alerts
from incidents.tracker import Knowledge, Surroundings, Tracker
from spark.models.embedder import Embedder
from spark.models.root_cause.meaning import CatalogMeaning
from spark.models.root_cause.model import RootCauseModel
from spark.models.root_cause.naming import TemplateNames
from spark.models.semantic import SemanticModel

logger = logging.getLogger(__name__)


def main(environ: Environ) -> None:
    """Follow until SIGTERM or SIGINT, or until another model is champion: the supervisor starts it with that one."""
    config = IncidentConfig.from_env(environ)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    folder = config.model.resolve()
    catalog, store, registry = _catalog(config), IncidentStore.open(config.store), CollectorRegistry()
    changes = RecentChanges(catalog.by_log_name())
    names = TemplateNames.load(folder)
    requests = Requests(TopicReader(config.bootstrap, config.topics.logs), names, config.session_pattern)
    model = RootCauseModel.require(folder)
    graph, by_name = DependencyGraph.of(catalog, model.edges), catalog.by_log_name()
    knowledge = Knowledge(graph, by_name, model.ranker, model.usual, names.texts, folder.name)
    meaning = CatalogMeaning(Embedder(_encoder(folder, model)).embed, by_name)
    tracker = Tracker(store, knowledge, Surroundings(requests.see, changes.changes, meaning.similarity))
    alerts = Alerts(httpx.Client(base_url=config.alertmanager, timeout=5))
    producer = make_producer(config.bootstrap, "incidents")
    service = IncidentService(store, tracker, changes, alerts, producer, config.topics, IncidentMetrics(registry))
    context = Context(IncidentStore.open(config.store), registry, lambda: knowledge.catalog, service.verdicts_changed)
    server = uvicorn.Server(uvicorn.Config(build_app(context), port=config.port, access_log=False, log_config=None))
    threading.Thread(target=server.run, daemon=True).start()
    anomalies, changed = (TopicReader(config.bootstrap, t) for t in (config.topics.anomalies, config.topics.changes))
    service.run(anomalies, changed, lambda: stop.is_set() or config.model.resolve() != folder)
    server.should_exit = True


def _catalog(config: IncidentConfig) -> Catalog:
    catalog = read_catalog(config.catalogs) if config.catalogs else Catalog({})
    for problem in catalog.problems:
        logger.warning("the catalog has a problem", extra={"problem": str(problem)})
    return catalog


def _encoder(folder: Path, part: RootCauseModel) -> Path:
    """Return the encoder that compares lines with the catalog: the fine-tuned one, if there is one."""
    of_lines = SemanticModel.load(folder).encoder
    if not part.encoder:
        return of_lines
    tuned = of_lines.parent / part.encoder
    if not (tuned / "model.onnx").is_file():
        advice = "lines are compared with the catalog by the published encoder; ./run finetune makes another"
        logger.warning("the fine-tuned encoder is not here", extra={"expected": str(tuned), "advice": advice})
        return of_lines
    return tuned


if __name__ == "__main__":
    run("incidents", main)
