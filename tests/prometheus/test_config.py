"""prometheus.yml and alertmanager.yml as rendered: valid, within limits that fit what the targets export."""

import os
import re
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from faultline.config import Ports
from faultline.metrics import MAX_SERVICES, FeederMetrics, StreamMetrics
from faultline.records import DEAD_LETTER_REASONS, SourceType

PROMETHEUS = Path(__file__).parents[2] / "prometheus"
OFFSET = 23000
COMPARED = ("faultline-stream", "faultline-feeder", "shop", "node")  # every second: no side waits for a slow scrape


def rendered(name: str) -> str:
    ports = asdict(Ports.from_env({"FAULTLINE_PORT_OFFSET": str(OFFSET)}))
    values = {f"{field}_port": str(port) for field, port in ports.items()} | {"rules": str(PROMETHEUS)}
    return Template((PROMETHEUS / name).read_text()).substitute(values)


def check(program: str, *arguments: object) -> str:
    """Return what a checker prints; skip (fail where CI is set) when it is not installed."""
    if shutil.which(program) is None:
        reason = f"{program} is not installed: apt-get install prometheus prometheus-alertmanager"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def scrapes() -> dict[str, dict[str, object]]:
    return {job["job_name"]: job for job in yaml.safe_load(rendered("prometheus.yml"))["scrape_configs"]}


def seconds(duration: object) -> float:
    return float(str(duration).removesuffix("s"))


def samples(registry: CollectorRegistry) -> int:
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return sum(len(family.samples) for family in families)


def test_prometheus_configuration_is_valid_and_finds_the_rules(tmp_path: Path) -> None:
    path = tmp_path / "prometheus.yml"
    path.write_text(rendered("prometheus.yml"))
    found = f"{len(list(PROMETHEUS.glob('*/*.yml')))} rule files found"
    assert found in check("promtool", "check", "config", "--lint-fatal", path)


@pytest.mark.parametrize("with_receivers", [False, True], ids=["as delivered", "with the marked lines"])
def test_alertmanager_configuration_is_valid(tmp_path: Path, with_receivers: bool) -> None:
    text = rendered("alertmanager.yml")
    if with_receivers:
        text, marked = re.subn(r"^( *)#: ", r"\1", text, flags=re.MULTILINE)
        assert marked == 11
    path = tmp_path / "alertmanager.yml"
    path.write_text(text)
    assert "SUCCESS" in check("amtool", "check-config", path)


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["alertname=Watchdog", "severity=info"], "null"),
        (["alertname=LogAnomaly", "severity=page", "service_name=payments"], "page"),
        (["alertname=LogAnomalyRare", "severity=info", "service_name=payments"], "null"),
        (["alertname=FaultlineLagGrowing", "severity=ticket"], "ticket"),
        (["alertname=WithoutSeverity"], "ticket"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else value,
)
def test_alert_goes_to_its_receiver(tmp_path: Path, labels: list[str], receiver: str) -> None:
    path = tmp_path / "alertmanager.yml"
    path.write_text(rendered("alertmanager.yml"))
    assert check("amtool", "config", "routes", "test", f"--config.file={path}", *labels).splitlines()[0] == receiver


def inhibitions() -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = yaml.safe_load(rendered("alertmanager.yml"))["inhibit_rules"]
    return rules


def test_what_was_learned_pages_as_an_incident_while_somebody_makes_them() -> None:
    (rule,) = [rule for rule in inhibitions() if "FaultlineIncidentsWatched" in str(rule["source_matchers"])]
    assert rule["target_matchers"] == ['side="ml"', 'alertname=~"LogAnomaly|BehaviourAnomaly"']
    assert "equal" not in rule


def test_else_only_alerts_of_the_pipeline_are_inhibited() -> None:
    found = [rule for rule in inhibitions() if "FaultlineIncidentsWatched" not in str(rule["source_matchers"])]
    assert found
    known = set(re.findall(r"- alert: (\w+)", (PROMETHEUS / "alerts" / "faultline.yml").read_text()))
    for rule in found:
        assert 'side="pipeline"' in rule["target_matchers"]
        names = set(re.findall(r"\w+Faultline\w+|Faultline\w+", " ".join(map(str, rule["target_matchers"]))))
        source = re.findall(r"Faultline\w+", str(rule["source_matchers"]))
        assert names | set(source) <= known
        assert not names & set(source)


def test_every_target_is_a_port_of_ours_on_loopback_and_used_once() -> None:
    ports = asdict(Ports.from_env({"FAULTLINE_PORT_OFFSET": str(OFFSET)}))
    targets = [
        target
        for job in scrapes().values()
        for group in job["static_configs"]
        for target in group["targets"]  # type: ignore[attr-defined]
    ]
    unscraped = {"kafka", "kafka_controller", "nginx", "mlflow"}
    unscraped |= {"storefront_orders", "orders_payments", "orders_inventory"}  # the proxy between two services
    assert sorted(targets) == sorted(f"127.0.0.1:{port}" for name, port in ports.items() if name not in unscraped)


def test_shop_targets_carry_the_name_of_their_service() -> None:
    ports = asdict(Ports.from_env({"FAULTLINE_PORT_OFFSET": str(OFFSET)}))
    for group in scrapes()["shop"]["static_configs"]:  # type: ignore[attr-defined]
        assert group["targets"] == [f"127.0.0.1:{ports[group['labels']['service_name']]}"]


def test_every_scrape_is_bounded_in_time_and_size() -> None:
    defaults = yaml.safe_load(rendered("prometheus.yml"))["global"]
    for name, job in scrapes().items():
        interval = seconds(job.get("scrape_interval", defaults["scrape_interval"]))
        assert interval == (1 if name in (*COMPARED, "faultline-incidents") else 5), name
        assert seconds(job.get("scrape_timeout", defaults["scrape_timeout"])) <= interval, name
        assert int(str(job["sample_limit"])) > 0, name
        assert "body_size_limit" in job, name


def test_a_full_stream_stays_below_half_its_limit() -> None:
    registry = CollectorRegistry()
    metrics = StreamMetrics(registry)
    for detector in ("semantic", "structure", "combined"):
        for service in range(MAX_SERVICES + 1):
            metrics.anomalies.labels(f"service-{service}", detector).inc()
            metrics.anomaly_score.labels(f"service-{service}", detector).set(1)
        for source_type in SourceType:
            metrics.scored.labels(source_type, detector).inc()
    for reason in DEAD_LETTER_REASONS:
        metrics.dead_lettered.labels(reason).inc()
    assert samples(registry) <= int(str(scrapes()["faultline-stream"]["sample_limit"])) / 2


def test_a_full_feeder_stays_below_half_its_limit() -> None:
    registry = CollectorRegistry()
    metrics = FeederMetrics(registry)
    for source_type in SourceType:
        metrics.lines_read.labels(source_type).inc()
        metrics.records_acknowledged.labels(source_type).inc()
        metrics.source_errors.labels(source_type).inc()
        for reason in DEAD_LETTER_REASONS:
            metrics.dead_lettered.labels(source_type, reason).inc()
    assert samples(registry) <= int(str(scrapes()["faultline-feeder"]["sample_limit"])) / 2


def test_the_longest_service_name_passes_the_label_limit() -> None:
    longest = "\N{FIRE}" * 256  # records.ShortText: 256 characters, 4 bytes each
    assert len(longest.encode()) <= int(str(scrapes()["faultline-stream"]["label_value_length_limit"]))
