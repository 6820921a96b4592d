import json
import logging
import re

import pytest

from demo.context import current, open_context
from demo.logs import BACKUPS, log_to_file


@pytest.fixture
def root():
    """The root logger, put back as it was."""
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    yield logger
    for handler in logger.handlers:
        if handler not in handlers:
            handler.close()
    logger.handlers[:] = handlers
    logger.setLevel(level)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_line_holds_the_fields_of_the_request(tmp_path, root):
    log_to_file("orders", tmp_path)
    token = current.set(open_context({"headers": [(b"x-request-id", b"r1")]}))
    logging.getLogger("shop.orders").warning("order %d placed", 8, extra={"status": 201})
    current.reset(token)
    [line] = lines(tmp_path / "orders.log")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(\+00:00|Z)", line["timestamp"])
    assert isinstance(line.pop("duration_ms"), float)
    assert len(line.pop("trace_id")) == 32
    del line["timestamp"]
    assert line == {
        "level": "WARNING",
        "service": "orders",
        "logger": "shop.orders",
        "message": "order 8 placed",
        "status": 201,
        "request_id": "r1",
        "route": "unmatched",
    }


def test_exception_is_one_field_of_one_line(tmp_path, root):
    log_to_file("orders", tmp_path)
    try:
        raise ValueError("of no use")
    except ValueError:
        logging.getLogger("shop").exception("failed")
    [line] = lines(tmp_path / "orders.log")
    assert line["exception"].endswith("ValueError: of no use")


def test_full_file_is_renamed_and_old_ones_are_dropped(tmp_path, root):
    log_to_file("orders", tmp_path, max_bytes=400)
    for number in range(40):
        logging.getLogger("shop").info("line %d", number)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["orders.log", *(f"orders.log.{number}" for number in range(1, BACKUPS + 1))]
    assert lines(tmp_path / "orders.log")[-1]["message"] == "line 39"


def test_chatty_libraries_are_quiet(tmp_path, root):
    log_to_file("orders", tmp_path)
    logging.getLogger("httpx").info("HTTP Request")
    assert lines(tmp_path / "orders.log") == []
