"""Which anomalies verdicts call normal."""

from __future__ import annotations

import msgspec

from faultline.anomalies import EvidenceLine
from faultline.feedback import FalseAlarms, Pattern
from faultline.records import SourceType
from spark.models.root_cause.symptoms import symptoms_of
from spark.models.root_cause.verdicts import is_normal, patterns_of
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


def alarm(*patterns: Pattern) -> FalseAlarms:
    return FalseAlarms((frozenset(patterns),))


def test_line_that_is_normal_is_so_only_for_its_service() -> None:
    assert is_normal(abnormal_line(), alarm(REJECTED))
    assert not is_normal(abnormal_line(), alarm(Pattern("said", "card rejected", "orders")))
    assert not is_normal(abnormal_line(), FalseAlarms())


def test_service_is_normal_when_all_that_moved_was_part_of_the_false_alarm() -> None:
    assert is_normal(SERVICE, alarm(SLOW, BUSY))
    assert not is_normal(SERVICE, alarm(SLOW))
    assert not is_normal(SERVICE, FalseAlarms((frozenset({SLOW}), frozenset({BUSY}))))  # two alarms, neither had both


def test_what_moved_a_little_beside_it_does_not_count() -> None:
    beside = abnormal_service(moved(SLOW.pattern, 2.0, 0.1, 8.0), moved(BUSY.pattern, 2.0, 0.1, 2.9))
    assert is_normal(beside, alarm(SLOW))
    little = abnormal_service(moved(BUSY.pattern, 2.0, 0.1, 2.9))
    assert not is_normal(little, alarm(SLOW))


def test_service_whose_lines_are_not_normal_is_abnormal() -> None:
    whole = msgspec.structs.replace(SERVICE, lines=[LINE])
    assert not is_normal(whole, alarm(SLOW, BUSY))
    assert is_normal(whole, alarm(SLOW, BUSY, Pattern("said", "odd", "orders")))
