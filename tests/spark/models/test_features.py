"""An event becomes the text a model reads: level, status words, the error's name, at most so long."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.records import Event, Severity, SourceType
from spark.models.features import (
    MAX_KEY_CHARS,
    MAX_TEXT_CHARS,
    PROTECTED_PREFIX,
    Fact,
    event_duration,
    event_facts,
    event_operation,
    event_second,
    event_text,
    merge_facts,
    session_keys,
    status_token,
)
from spark.models.masking import mask_texts

MakeEvent = Callable[..., Event]


def access(event: MakeEvent, **attributes: str) -> Event:
    return event(source_type=SourceType.NGINX_ACCESS, attributes=attributes, body="GET /cart 200", severity="INFO")


def test_a_message_begins_with_its_level(event: MakeEvent) -> None:
    assert event_text(event(body="no stock", severity=Severity.ERROR)) == "ERROR no stock"


def test_an_unspecified_level_is_left_out(event: MakeEvent) -> None:
    assert event_text(event(body="no stock", severity=Severity.UNSPECIFIED)) == "no stock"


def test_an_access_line_is_status_word_method_and_path(event: MakeEvent) -> None:
    attributes = {"http.response.status_code": "502", "url.path": "/cart", "http.request.method": "GET"}
    assert event_text(access(event, **attributes)) == "status=Bad-Gateway GET /cart"


@pytest.mark.parametrize("missing", ["http.response.status_code", "url.path"])
def test_an_access_line_without_status_or_path_is_its_message(event: MakeEvent, missing: str) -> None:
    attributes = {"http.response.status_code": "200", "url.path": "/cart", missing: ""}
    assert event_text(access(event, **attributes)) == "INFO GET /cart 200"


def test_an_access_line_without_method_says_so(event: MakeEvent) -> None:
    attributes = {"http.response.status_code": "200", "url.path": "/cart"}
    assert event_text(access(event, **attributes)) == "status=OK - /cart"


@pytest.mark.parametrize("status", HTTPStatus)
def test_every_status_is_one_protected_word_without_digits(status: HTTPStatus) -> None:
    token = status_token(str(status.value))
    assert token.startswith(PROTECTED_PREFIX)
    assert not any(character.isspace() or character.isdigit() for character in token)


@pytest.mark.parametrize(
    ("code", "token"),
    [
        ("499", "status=Client-Closed-Request"),
        ("599", "status=five-nine-nine"),
        ("000", "status=zero-zero-zero"),
        ("5xx", "status=five-x-x"),
        ("1234567890", "status=one-two-three-four-five-six-seven-eight"),
    ],
)
def test_codes_without_a_phrase_are_spelled(code: str, token: str) -> None:
    assert status_token(code) == token


def test_status_words_tell_codes_apart() -> None:
    assert len({status_token(str(code)) for code in range(1000)}) == 1000


def test_a_status_word_survives_masking() -> None:
    tokens = [status_token(str(code)) for code in range(1000)]
    assert mask_texts(pa.array(tokens)).to_pylist() == tokens


def test_a_metric_sample_says_nothing_of_its_numbers(event: MakeEvent) -> None:
    kind = SourceType.APP_CONTAINER_METRICS
    few = event(source_type=kind, body="metrics of orders", measures={"cpu": 5.0})
    many = event(source_type=kind, body="metrics of orders", measures={"cpu": 6.0, "memory": 1.0})
    assert event_text(few) == event_text(many) == "INFO metrics of orders"


def test_a_metrics_page_that_does_not_answer_says_so(event: MakeEvent) -> None:
    body = "app_container_metrics of orders: unreachable: ConnectError"
    sample = event(source_type=SourceType.APP_CONTAINER_METRICS, body=body, severity="ERROR")
    assert event_text(sample) == f"ERROR {body}"


def test_the_last_line_of_a_trace_names_the_error(event: MakeEvent) -> None:
    trace = 'Traceback (most recent call last):\n  File "a.py", line 5, in f\nValueError: no stock\n'
    text = event_text(event(body="order failed", severity="ERROR", attributes={"exception.stacktrace": trace}))
    assert text == "ERROR order failed exception: ValueError: no stock"


def test_a_blank_trace_is_no_trace(event: MakeEvent) -> None:
    assert event_text(event(body="x", attributes={"exception.stacktrace": " \n"})) == "INFO x"


@pytest.mark.parametrize("size", [MAX_TEXT_CHARS - 5, MAX_TEXT_CHARS, 1_000_000])
def test_a_long_body_is_cut_but_the_error_stays(event: MakeEvent, size: int) -> None:
    text = event_text(event(body="x" * size, attributes={"exception.stacktrace": "KeyError: 'total'"}))
    assert len(text) == MAX_TEXT_CHARS
    assert text.endswith("x exception: KeyError: 'total'")


@pytest.mark.parametrize("source_type", SourceType)
def test_every_source_type_has_a_bounded_text(event: MakeEvent, source_type: SourceType) -> None:
    attributes = {
        "http.response.status_code": "9" * 5000,
        "url.path": "/" * 5000,
        "http.request.method": "G" * 5000,
        "exception.stacktrace": "E" * 5000,
    }
    for chosen in ({}, attributes):
        text = event_text(event(source_type=source_type, body="b" * 5000, attributes=chosen))
        assert 0 < len(text) <= MAX_TEXT_CHARS


MOMENT = datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC)
SECOND = int(MOMENT.timestamp())


def facts_by_name(events: list[Event], templates: list[str] | None = None) -> dict[str, tuple[float, float, int]]:
    found = event_facts(events, templates or [""] * len(events), [event_second(made, MOMENT) for made in events])
    return {fact.name: (fact.total, fact.peak, fact.lines) for fact in found}


def at(event: MakeEvent, **fields: object) -> Event:
    return event(**{"timestamp": MOMENT, "observed_timestamp": MOMENT, **fields})


def test_lines_levels_status_classes_and_templates_are_counted(event: MakeEvent) -> None:
    failed = at(event, severity=Severity.FATAL, attributes={"http.response.status_code": "503"})
    fine = at(event, severity=Severity.INFO)
    counts = facts_by_name([failed, fine, failed], ["template:ab", "template:cd", "template:ab"])
    kind = f"lines:{fine.source_type.value}"
    assert {name: total for name, (total, _, _) in counts.items()} == {
        kind: 3.0,
        "level:ERROR": 2.0,
        "status:5xx": 2.0,
        "template:ab": 2.0,
        "template:cd": 1.0,
    }


def test_a_template_without_a_name_is_not_counted(event: MakeEvent) -> None:
    assert not any(name.startswith("template") for name in facts_by_name([at(event)], [""]))


def test_measures_of_lines_fall_into_half_octaves_what_is_no_number_into_none(event: MakeEvent) -> None:
    lines = [at(event, measures={"ms": value}) for value in (3.0, 3.1, 0.0, math.nan, math.inf, -1.0)]
    found = {name: total for name, (total, _, _) in facts_by_name(lines).items() if name.startswith("value:")}
    assert found == {"value:ms#3": 2.0, "value:ms#-64": 1.0}


def test_a_metrics_page_is_summed_over_labels(event: MakeEvent) -> None:
    measures = {
        'requests_total{route="/a"}': 2.0,
        'requests_total{route="/b"}': 3.0,
        "process_resident_memory_bytes": 1e6,
        "process_start_time_seconds": 1.7e9,
        "broken": math.nan,
    }
    page = at(event, source_type=SourceType.APP_CONTAINER_METRICS, measures=measures)
    counts = facts_by_name([page])
    assert counts["counter:requests_total"] == (5.0, 5.0, 1)
    assert counts["gauge:process_resident_memory_bytes"] == (1e6, 1e6, 1)
    assert not any("start_time" in name or "broken" in name for name in counts)


@pytest.mark.parametrize("late", ["timestamp", "observed_timestamp"])
def test_a_clock_that_is_ahead_does_not_move_the_second(event: MakeEvent, late: str) -> None:
    assert event_second(at(event, **{late: MOMENT + timedelta(hours=5)}), MOMENT) == SECOND


def test_a_line_of_the_past_keeps_its_second(event: MakeEvent) -> None:
    assert event_second(at(event, timestamp=MOMENT - timedelta(hours=1)), MOMENT) == SECOND - 3600


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2), st.integers(0, 3)), max_size=30), st.integers(0, 30)
)
def test_facts_of_parts_merge_into_the_facts_of_all(rows: list[tuple[str, int, int]], cut: int) -> None:
    facts = [Fact(service, second, "level:ERROR", float(n), float(n), 1) for service, second, n in rows]
    parts = merge_facts([*merge_facts(facts[:cut]), *merge_facts(facts[cut:])])
    assert sorted(parts, key=str) == sorted(merge_facts(facts), key=str)


BLOCK = r"(?P<key>blk_-?\d+)"


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"trace_id": "7f", "attributes": {"request_id": "r1"}, "body": "blk_1"}, "7f"),
        ({"attributes": {"request_id": "r1"}, "body": "blk_1"}, "r1"),
        ({"body": "received block blk_-12 of blk_3"}, "blk_-12"),
        ({"body": "no block"}, ""),
        ({"trace_id": "0" * 32, "attributes": {"request_id": "-"}, "body": "x"}, ""),
        ({"trace_id": "", "attributes": {"request_id": "r" * 1000}}, "r" * MAX_KEY_CHARS),
    ],
)
def test_the_key_of_a_session_is_an_id_or_in_the_text(event: MakeEvent, fields: dict[str, object], key: str) -> None:
    assert session_keys([event(**fields)], BLOCK) == [key]


def test_without_a_pattern_only_ids_tie_lines_together(event: MakeEvent) -> None:
    assert session_keys([event(body="blk_1"), event(trace_id="7f"), event()]) == ["", "7f", ""]
    assert session_keys([], BLOCK) == []


@pytest.mark.parametrize(
    ("measures", "seconds"),
    [
        ({"duration_ms": 250.0}, 0.25),
        ({"http.server.request.duration_seconds": 0.5, "duration_ms": 9.0}, 0.5),
        ({"latency_ms": 0.0}, 0.0),
        ({"duration_ms": math.nan}, None),
        ({"duration_ms": -1.0}, None),
        ({"duration_ms": math.inf, "elapsed_ms": 4.0}, 0.004),
        ({"size_bytes": 3.0}, None),
    ],
)
def test_duration_is_in_seconds_whatever_it_is_called(
    event: MakeEvent, measures: dict[str, float], seconds: float | None
) -> None:
    assert event_duration(event(measures=measures)) == (None if seconds is None else pytest.approx(seconds))


def test_operation_is_the_route_and_bounded(event: MakeEvent) -> None:
    assert event_operation(event(attributes={"http.route": "/orders/{id}"})) == "/orders/{id}"
    assert event_operation(event(attributes={})) == ""
    assert len(event_operation(event(attributes={"http.route": "/" * 9999}))) == MAX_KEY_CHARS
