"""Calibration and the Prometheus rule speak of the same statistic."""

from pathlib import Path

import yaml

from faultline.alerting import ALERT_LINES, ALERT_WINDOW_SECONDS
from spark.models.buckets import BUCKET_SECONDS


def test_rule_and_calibration_share_lines_and_window() -> None:
    groups = yaml.safe_load(Path("prometheus/alerts/faultline.yml").read_text())["groups"]
    rules = {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}
    expression = rules["LogAnomaly"]["expr"]
    assert expression.split("\n")[0] == f"service:faultline_anomalies:increase{ALERT_WINDOW_SECONDS}s >= {ALERT_LINES}"


def test_windows_are_whole_buckets() -> None:
    assert ALERT_WINDOW_SECONDS % BUCKET_SECONDS == 0
