"""Rules and alerts: valid, each alert tested at its edge and in the runbook, each metric one that is exported."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.samples import Sample

from demo import storefront
from demo.telemetry import ShopMetrics
from faultline.metrics import FeederMetrics, StreamMetrics

PROMETHEUS = Path(__file__).parents[2] / "prometheus"
RULE_FILES = sorted([*PROMETHEUS.glob("rules/*.yml"), *PROMETHEUS.glob("alerts/*.yml")])
RULE_TESTS = sorted(Path(__file__).parent.glob("*.yaml"))
EXPORTED_BY_PROMETHEUS = {"up", "ALERTS", "scrape_duration_seconds"}
EXPORTED_BY_NODE_EXPORTER = {  # of the collectors that faultline.stack.programs turns on: cpu, filesystem, meminfo
    "node_cpu_seconds_total",
    "node_filesystem_avail_bytes",
    "node_filesystem_files",
    "node_filesystem_files_free",
    "node_filesystem_readonly",
    "node_filesystem_size_bytes",
    "node_memory_MemAvailable_bytes",
    "node_memory_MemTotal_bytes",
}
# Which side an alert of a file is on. What is learned stands beside the pipeline's own alerts.
SIDES = {
    "faultline.yml": {"ml": r"\w+Anomaly(Rare)?", "pipeline": r"Watchdog|Faultline\w+"},
    "shop_rules.yml": {"rules": r"(Service|Dependency|Traffic|Orders|Host|Disk)[A-Z]\w+"},
    "shop_slo.yml": {"slo": r"(Error|Latency)BudgetBurn(Fast|Slow)?|(Service|Host|Disk)[A-Z]\w+"},
}
OPPONENTS = {"rules", "slo"}
KEYWORDS = {"and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "offset", "bool"}
LABELS_OF_RULES = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")


def promtool(*arguments: object) -> str:
    """Return what promtool prints; skip (fail where CI is set) when it is not installed."""
    program = shutil.which("promtool")
    if program is None:
        reason = "promtool is not installed: apt-get install prometheus"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules() -> list[dict[str, object]]:
    groups = [group for path in RULE_FILES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[dict[str, object]]:
    return [rule for rule in rules() if "alert" in rule]


ALERTS = sorted(str(rule["alert"]) for rule in alerts())


def side_by_file(path: Path) -> dict[str, str]:
    """Return the side of each alert of a file, as file and name say; KeyError for one that fits none, or two."""
    names = [r["alert"] for group in yaml.safe_load(path.read_text())["groups"] for r in group["rules"] if "alert" in r]
    fitting = {name: [side for side, form in SIDES[path.name].items() if re.fullmatch(form, name)] for name in names}
    wrong = {name: sides for name, sides in fitting.items() if len(sides) != 1}
    if wrong:
        raise KeyError(f"{path.name}: {wrong}, expected one side each; see SIDES")
    return {name: sides[0] for name, sides in fitting.items()}


SIDE_OF = {
    name: side for path in RULE_FILES if path.parent.name == "alerts" for name, side in side_by_file(path).items()
}


def metrics_of(expression: str) -> set[str]:
    """Return the names of the series that a PromQL expression selects."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = LABELS_OF_RULES.sub("", re.sub(r"\{[^}]*\}|\[[^]]*\]", "", bare))
    words = re.findall(r"(?<![\w:.])[a-zA-Z_:][\w:]*(?!\s*\(|[\w:])", bare)
    return set(words) - KEYWORDS


def exported_metrics(registry: CollectorRegistry) -> set[str]:
    """Return the names under which Prometheus keeps what a registry exports."""
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
    return {family.name + suffix for family in registry.collect() for suffix in suffixes.get(family.type, [""])}


def pipeline_metrics() -> set[str]:
    registry = CollectorRegistry()
    FeederMetrics(registry)
    StreamMetrics(registry)
    return exported_metrics(registry)


def shop_metrics() -> set[str]:
    """Return what every service of the shop exports, and the one business counter that a rule needs."""
    metrics = ShopMetrics()
    metrics.counter("checkouts_total", "As demo.storefront has it.")
    assert '"checkouts_total"' in Path(storefront.__file__).read_text()
    return exported_metrics(metrics.registry)


def histogram_samples() -> list[Sample]:
    metrics = ShopMetrics()
    metrics.duration.labels("/", "GET").observe(0.1)
    return [s for family in metrics.registry.collect() for s in family.samples if s.name.endswith("_bucket")]


def seconds(duration: str) -> int:
    amount, unit = re.fullmatch(r"(\d+)([smh])", duration).groups()  # type: ignore[union-attr]
    return int(amount) * {"s": 1, "m": 60, "h": 3600}[unit]


def evaluations(name: str) -> list[dict[int, bool]]:
    """Return for each rule test that names the alert: second -> does it fire."""
    tests = [test for path in RULE_TESTS for test in yaml.safe_load(path.read_text())["tests"]]
    return [
        {seconds(case["eval_time"]): bool(case.get("exp_alerts")) for case in cases}
        for test in tests
        if (cases := [case for case in test.get("alert_rule_test", []) if case["alertname"] == name])
    ]


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_rule_file_is_valid(path: Path) -> None:
    assert "SUCCESS" in promtool("check", "rules", "--lint-fatal", path)


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.name)
def test_rules_do_what_their_tests_say(path: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", path)


def test_metrics_of_reads_names_only() -> None:
    expression = 'sum by (job) (a:b:c{d="e f"} offset 5m) > 1e6 and on (g) rate(h_total[5m]) or vector(0)'
    assert metrics_of(expression) == {"a:b:c", "h_total"}


def test_every_metric_of_a_rule_is_exported_or_recorded() -> None:
    known = pipeline_metrics() | shop_metrics() | EXPORTED_BY_PROMETHEUS | EXPORTED_BY_NODE_EXPORTER
    known |= {str(rule["record"]) for rule in rules() if "record" in rule}
    used = {name for rule in rules() for name in metrics_of(str(rule["expr"]))}
    assert used - known == set()
    assert "faultline_anomalies_total" in used


def test_recording_rules_are_named_level_metric_operation() -> None:
    for rule in rules():
        if "record" in rule:
            assert re.fullmatch(r"[a-z_]+:[a-z_]+:[a-z0-9]+", str(rule["record"])), rule["record"]


@pytest.mark.parametrize("name", [name for name in ALERTS if name != "Watchdog"])
def test_alert_is_tested_silent_one_second_before_it_fires_and_resolved(name: str) -> None:
    edges = [at for test in evaluations(name) for at, fires in test.items() if fires and test.get(at - 1) is False]
    ends = [
        at
        for test in evaluations(name)
        for at, fires in test.items()
        if not fires and any(other < at and test[other] for other in test)
    ]
    assert edges, f"{name}: no rule test in which it is silent at one second and fires at the next"
    assert ends, f"{name}: no rule test in which it fires and is silent later"


def test_watchdog_is_tested() -> None:
    assert evaluations("Watchdog") == [{0: True, 120: True}]


def test_every_test_fixes_the_order_of_the_groups() -> None:
    for path in RULE_TESTS:
        test = yaml.safe_load(path.read_text())
        files = [yaml.safe_load((path.parent / name).read_text()) for name in test["rule_files"]]
        # Without it promtool takes any order, and an alert may see what was recorded a second ago.
        assert test["group_eval_order"] == [group["name"] for file in files for group in file["groups"]], path.name
        assert [Path(name).parent.name for name in test["rule_files"]] == ["rules", "alerts"], path.name


def test_names_of_groups_are_used_once() -> None:
    names = [group["name"] for path in RULE_FILES for group in yaml.safe_load(path.read_text())["groups"]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_alert_is_labelled_and_has_its_runbook_heading(alert: dict[str, dict[str, str]]) -> None:
    name = str(alert["alert"])
    assert alert["labels"]["severity"] in {"page", "ticket", "info"}
    assert alert["labels"]["side"] == SIDE_OF[name]
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert alert["annotations"]["runbook_url"] == f"prometheus/runbook.md#{name.lower()}"
    assert f"\n## {name}\n" in (PROMETHEUS / "runbook.md").read_text()


@pytest.mark.parametrize("name", [name for name in ALERTS if SIDE_OF[name] in OPPONENTS])
def test_opponent_says_which_service_and_is_counted(name: str) -> None:
    rule = next(rule for rule in alerts() if rule["alert"] == name)
    assert "service_name" in rule["labels"]  # type: ignore[operator]
    assert rule["labels"]["severity"] in {"page", "ticket"}  # type: ignore[index]


def test_no_opponent_counts_scrapes_and_health_checks_as_traffic() -> None:
    for rule in rules():
        for selector in re.findall(r"\b(?:requests_total|request_duration_seconds_\w+)\{[^}]*\}", str(rule["expr"])):
            assert 'job="shop"' in selector, selector
            assert 'route!~"/metrics|/health"' in selector, selector


def test_a_burn_rate_says_that_its_windows_are_scaled() -> None:
    burns = [rule for rule in alerts() if "BudgetBurn" in str(rule["alert"])]
    assert len(burns) == 6
    for rule in burns:
        assert "Windows scaled by 1/12, from " in rule["annotations"]["description"]  # type: ignore[index]


def test_the_bucket_of_the_latency_objective_exists() -> None:
    text = "".join(str(rule["expr"]) for rule in rules())
    exported = {sample.labels["le"] for sample in histogram_samples()}
    assert set(re.findall(r'le="([^"]+)"', text)) == {"0.5"} <= exported


def test_every_runbook_heading_is_an_alert() -> None:
    headings = re.findall(r"^## (.+)$", (PROMETHEUS / "runbook.md").read_text(), re.MULTILINE)
    assert sorted(headings) == sorted([*ALERTS, "Incident"])  # told by the incident process, without a rule
