"""What is left of an anomaly when some of its patterns are normal."""

from __future__ import annotations

import msgspec

from faultline.anomalies import EvidenceLine
from faultline.feedback import Pattern
from faultline.records import SourceType
from spark.models.root_cause.symptoms import symptoms_of
from spark.models.root_cause.verdicts import patterns_of, without
from tests.spark.models.root_cause.pieces import START
from tests.spark.models.root_cause.test_symptoms import abnormal_line, abnormal_service, moved

REJECTED = Pattern("said", "card rejected", "payments")
SLOW, BUSY = Pattern("time", "p95:duration_ms", "orders"), Pattern("resource", "rate:process_cpu", "orders")
SERVICE = abnormal_service(moved(SLOW.pattern, 2.0, 0.1, 8.0), moved(BUSY.pattern, 2.0, 0.1, 8.0))
LINE = EvidenceLine(
    body="odd",
    event_id="e",
    nearest_distance=1.0,
    nearest_template="",
    p_value=0.1,
    source_type=SourceType.APP_CONTAINER_LOG,
    template="odd",
    timestamp=START,
)


def test_patterns_are_those_of_the_symptoms_once_each() -> None:
    symptoms = [*symptoms_of(SERVICE), *symptoms_of(SERVICE), *symptoms_of(abnormal_line())]
    assert patterns_of(symptoms) == [BUSY, REJECTED, SLOW]


def test_line_that_is_normal_is_gone_and_only_for_its_service() -> None:
    assert without(abnormal_line(), {REJECTED}) is None
    assert without(abnormal_line(), {Pattern("said", "card rejected", "orders")}) == abnormal_line()


def test_number_that_is_normal_is_taken_out_and_the_rest_stays() -> None:
    left = without(SERVICE, {SLOW})
    assert left == msgspec.structs.replace(SERVICE, deviations=[SERVICE.deviations[1]])
    assert without(SERVICE, {SLOW, BUSY}) is None


def test_service_whose_lines_are_not_normal_stays() -> None:
    whole = msgspec.structs.replace(SERVICE, lines=[LINE])
    left = without(whole, {SLOW, BUSY})
    assert left == msgspec.structs.replace(whole, deviations=[])
    assert without(whole, {SLOW, BUSY, Pattern("said", "odd", "orders")}) is None
