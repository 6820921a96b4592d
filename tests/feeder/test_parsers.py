"""What holds for every parser: no line stops it, none is lost."""

from datetime import datetime

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultline.records import Event
from feeder.app_container_log import parse_plain
from feeder.sources import PARSERS

ALL = {f"{kind}-{form}": parse for kind, formats in PARSERS.items() for form, parse in formats.items()}
# Names that the parsers look for, so that values of every type come to lie under them.
KEYS = st.sampled_from(
    [
        "message",
        "msg",
        "log",
        "event",
        "time",
        "ts",
        "timestamp",
        "level",
        "severity",
        "trace_id",
        "traceparent",
        "exception",
        "status",
        "x_ms",
        "method",
        "uri",
        "msec",
        "request_time",
        "upstream_response_time",
        "head_commit",
        "commit",
        "author",
        "repository",
        "id",
        "sha",
        "ref",
        "workflow_run",
        "name",
        "conclusion",
        "eventName",
        "eventSource",
        "errorCode",
        "protoPayload",
        "methodName",
        "userIdentity",
        "arn",
        "eventTime",
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=10,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=6).map(msgspec.json.encode)


@pytest.mark.parametrize("parse", ALL.values(), ids=ALL)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=st.binary(max_size=100) | OBJECTS)
def test_no_line_stops_a_parser(make_origin, parse, line):
    event = parse(make_origin(), line)
    again = msgspec.json.decode(event.to_bytes())
    assert again["event_id"] == parse_plain(make_origin(), line).event_id
    assert datetime.fromisoformat(again["timestamp"]) == event.timestamp
    msgspec.json.decode(event.to_bytes(), type=Event)


def test_every_parser_keeps_a_blank_line(make_origin):
    assert {parse(make_origin(), b"").body for parse in ALL.values()} == {""}
