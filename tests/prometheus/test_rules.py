"""Rules and alerts: valid, each alert tested at its edge and in the runbook, each metric one that is exported."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from faultline.metrics import FeederMetrics, StreamMetrics

PROMETHEUS = Path(__file__).parents[2] / "prometheus"
RULE_FILES = sorted([*PROMETHEUS.glob("rules/*.yml"), *PROMETHEUS.glob("alerts/*.yml")])
RULE_TESTS = sorted(Path(__file__).parent.glob("*.yaml"))
EXPORTED_BY_PROMETHEUS = {"up"}
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


def metrics_of(expression: str) -> set[str]:
    """Return the names of the series that a PromQL expression selects."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = LABELS_OF_RULES.sub("", re.sub(r"\{[^}]*\}|\[[^]]*\]", "", bare))
    words = re.findall(r"(?<![\w:.])[a-zA-Z_:][\w:]*(?!\s*\(|[\w:])", bare)
    return set(words) - KEYWORDS


def exported_metrics() -> set[str]:
    registry = CollectorRegistry()
    FeederMetrics(registry)
    StreamMetrics(registry)
    families = list(registry.collect())
    return {f"{family.name}_total" if family.type == "counter" else family.name for family in families}


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
    known = exported_metrics() | EXPORTED_BY_PROMETHEUS | {str(rule["record"]) for rule in rules() if "record" in rule}
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
    names = [group["name"] for path in reversed(RULE_FILES) for group in yaml.safe_load(path.read_text())["groups"]]
    for path in RULE_TESTS:
        # Without it promtool takes any order, and an alert may see what was recorded a second ago.
        assert yaml.safe_load(path.read_text())["group_eval_order"] == names, path.name


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_alert_is_labelled_and_has_its_runbook_heading(alert: dict[str, dict[str, str]]) -> None:
    name = str(alert["alert"])
    assert alert["labels"]["severity"] in {"page", "ticket", "info"}
    learned = "Anomaly" in name
    side = "ml" if learned else "rules" if name == "ServiceDown" else "pipeline"
    assert alert["labels"]["side"] == side
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert alert["annotations"]["runbook_url"] == f"prometheus/runbook.md#{name.lower()}"
    assert f"\n## {name}\n" in (PROMETHEUS / "runbook.md").read_text()


def test_every_runbook_heading_is_an_alert() -> None:
    headings = re.findall(r"^## (.+)$", (PROMETHEUS / "runbook.md").read_text(), re.MULTILINE)
    assert sorted(headings) == ALERTS
