"""One JSON object a line, whatever is logged."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from faultline import log


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    log.configure("orders", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def parse(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_record_is_one_line_of_json(lines: io.StringIO) -> None:
    logging.getLogger("shop").info("order %d placed", 5, extra={"order": 5})
    (record,) = parse(lines)
    assert datetime.fromisoformat(record.pop("timestamp")).utcoffset() is not None
    assert record == {
        "level": "INFO",
        "service": "orders",
        "logger": "shop",
        "message": "order 5 placed",
        "order": 5,
    }


def test_line_breaks_and_broken_text_stay_one_line(lines: io.StringIO) -> None:
    logging.getLogger("shop").warning("first\nsecond \ud800 \x00")
    assert [record["message"] for record in parse(lines)] == ["first\nsecond \ud800 \x00"]


def test_an_exception_is_a_field(lines: io.StringIO) -> None:
    try:
        raise ValueError("no stock")
    except ValueError:
        logging.getLogger("shop").exception("order failed")
    (record,) = parse(lines)
    assert record["level"] == "ERROR"
    assert record["exception"].splitlines()[-1] == "ValueError: no stock"


def test_what_json_does_not_know_is_written_as_text(lines: io.StringIO) -> None:
    logging.getLogger("shop").info("at", extra={"where": io.StringIO})
    assert parse(lines)[0]["where"] == "<class '_io.StringIO'>"


def test_debug_lines_and_those_of_chatty_libraries_are_left_out(lines: io.StringIO) -> None:
    logging.getLogger("shop").debug("details")
    logging.getLogger("py4j").info("details")
    assert parse(lines) == []


def test_a_second_configure_replaces_the_first(lines: io.StringIO) -> None:
    second = io.StringIO()
    log.configure("payments", second)
    logging.getLogger("shop").info("once")
    assert (parse(lines), [record["service"] for record in parse(second)]) == ([], ["payments"])
