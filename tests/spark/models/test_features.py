"""An event becomes the text a model reads: level, status words, the error's name, at most so long."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

import pyarrow as pa
import pytest

from faultline.records import Event, Severity, SourceType
from spark.models.features import MAX_TEXT_CHARS, PROTECTED_PREFIX, event_text, status_token
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
