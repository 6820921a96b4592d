"""The report from anomalies as the stream writes them, Prometheus and Alertmanager answered by a local server."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from demo.report import write_report
from demo.story import Fault, Times
from faultline.anomalies import Anomaly
from faultline.incidents import Cause, CauseKind, Evidence, Incident, IncidentState
from faultline.records import Severity, SourceType
from tests.anomalies import make_service_anomaly

START = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
FAULT = Fault("payments", "process stopped", START, START + timedelta(seconds=20))


def anomaly(seconds, body="calling payments failed", service="orders"):
    moment = START + timedelta(seconds=seconds)
    return Anomaly(
        attributes={"log.file.path": "/logs/orders.log"},
        body=body,
        detector="semantic",
        event_id=f"{service}{seconds}",
        host_name="h",
        known_template=False,
        model_version="v",
        nearest_distance=0.4,
        nearest_template="INFO order <NUM> placed",
        observed_timestamp=moment,
        p_value=0.01,
        score=0.41,
        service_name=service,
        severity=Severity.ERROR,
        source_type=SourceType.APP_CONTAINER_LOG,
        template="ERROR calling payments failed",
        template_id="t1",
        timestamp=moment,
        trace_id="",
    )


def service_anomaly(seconds, score, explanation):
    """Return what is said of `orders` so many seconds after the fault."""
    end = START + timedelta(seconds=seconds)
    return make_service_anomaly(
        event_id=str(seconds),
        explanation=explanation,
        since=START - timedelta(seconds=13),
        structured_score=score,
        window_end=end,
        window_start=end - timedelta(seconds=15),
    )


def incident():
    """Return an incident that was opened a second after the fault, and names its cause second."""
    evidence = [Evidence(at=None, event_id="", kind="said", service_name="orders", text="<i>gone</i>", weight=1.0)]
    causes = [
        Cause(evidence=evidence, kind=CauseKind.SERVICE, name=name, probability=p, title=name)
        for name, p in (("orders", 0.6), ("payments", 0.4))
    ]
    return Incident(
        anomalies=9,
        causes=causes,
        explanation="orders <u>abnormal</u>",
        incident_id="i1",
        merged_into="",
        model_version="v",
        opened_at=START + timedelta(seconds=1),
        resolved_at=None,
        services=["orders"],
        state=IncidentState.OPEN,
        updated_at=START,
        version=1,
    )


class RecordedWatch:
    """What Prometheus and the topic held in one recorded run."""

    def __init__(self, anomalies):
        self._anomalies = anomalies

    def anomalies(self, start, end):
        return [a for a in self._anomalies if start <= a.timestamp <= end]

    def services(self, start, end):
        return [service_anomaly(2, 7.0, "orders: lines in 5s 0"), service_anomaly(9, 12.0, "orders: <b>worst</b>")]

    def incidents(self, start, end):
        return [incident()]

    def intervals(self, name, start, end):
        begin = START + timedelta(seconds={"LogAnomaly": 3, "BehaviourAnomaly": 4}.get(name, 15))
        return [("orders", begin, START + timedelta(seconds=30))]

    def value(self, query, at):
        return {"read": 10.0, "scored": 9.0}.get(query.split("_")[2], 1.0)


def times():
    moments = {name: START + timedelta(seconds=s) for name, s in (("alert", 3), ("resolved", 31), ("end", 60))}
    return Times(begin=START - timedelta(seconds=90), watch_start=START - timedelta(seconds=15), **moments)


def test_facts_are_measured_from_the_injection(tmp_path):
    facts = write_report(tmp_path, RecordedWatch([anomaly(-5), anomaly(1), anomaly(2)]), times(), FAULT)
    assert facts["alert_seconds"] == 3.0
    assert facts["behaviour_alert_seconds"] == 4.0
    assert facts["rule_alert_seconds"] == 15.0
    assert [(s["score"], s["explanation"]) for s in facts["services"]] == [(12.0, "orders: <b>worst</b>")]
    assert "<b>worst" not in (tmp_path / "report.html").read_text()
    assert facts["resolved_seconds"] == 11.0
    assert (facts["anomalies_before_fault"], facts["anomalies_after_fault"]) == (1, 2)
    assert facts["first_anomaly"]["seconds_after_fault"] == 1.0
    assert facts["templates"][0]["lines"] == 2
    assert json.loads((tmp_path / "facts.json").read_text())["read"] == 10.0


def test_incident_is_told_with_the_rank_of_the_true_cause(tmp_path):
    facts = write_report(tmp_path, RecordedWatch([anomaly(1)]), times(), FAULT)
    (found,) = facts["incidents"]
    assert (found["rank"], found["seconds_after_fault"]) == (2, 1.0)
    page = (tmp_path / "report.html").read_text()
    assert "The cause was payments, rank 2" in page
    assert "orders &lt;u&gt;abnormal&lt;/u&gt;" in page
    assert "&lt;i&gt;gone&lt;/i&gt;" in page


def test_run_without_an_incident_says_nothing_of_causes(tmp_path):
    watch = RecordedWatch([anomaly(1)])
    watch.incidents = lambda start, end: []
    assert write_report(tmp_path, watch, times(), FAULT)["incidents"] == []
    assert "what caused it" not in (tmp_path / "report.html").read_text()


def test_log_text_stays_text(tmp_path):
    hostile = [anomaly(1, "<script>alert(1)</script>"), anomaly(2, "=HYPERLINK(1)", "evil")]
    write_report(tmp_path, RecordedWatch(hostile), times(), FAULT)
    page = (tmp_path / "report.html").read_text()
    assert "<script>alert(1)</script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "'=HYPERLINK(1)" in (tmp_path / "anomalies.csv").read_text()


@pytest.mark.parametrize("lines", [[], [anomaly(1)]])
def test_a_run_in_which_nothing_was_seen_gives_a_report_too(tmp_path, lines):
    without_alert = Times(begin=START - timedelta(seconds=90), end=START + timedelta(seconds=60))
    facts = write_report(tmp_path, RecordedWatch(lines), without_alert, FAULT)
    assert facts["alert_seconds"] is None
    assert "not seen" in (tmp_path / "report.html").read_text()
    assert (tmp_path / "timeline.png").stat().st_size > 5_000


def test_counts_that_do_not_add_up_are_said_so(tmp_path):
    watch = RecordedWatch([])
    watch.value = lambda query, at: {"read": 10.0, "scored": 5.0}.get(query.split("_")[2], 1.0)
    write_report(tmp_path, watch, times(), FAULT)
    assert "DOES NOT ADD UP" in (tmp_path / "report.html").read_text()
