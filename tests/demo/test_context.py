import pytest

from demo.context import continue_trace, current, open_context, outgoing_headers

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


def test_trace_is_continued_with_a_span_of_its_own():
    trace = continue_trace(PARENT)
    assert trace.trace_id == TRACE
    assert trace.span_id != "b7ad6b7169203331"
    assert continue_trace(trace.header()).trace_id == TRACE


ABSENT = None
ZERO_TRACE = f"00-{'0' * 32}-b7ad6b7169203331-01"
ZERO_SPAN = f"00-{TRACE}-{'0' * 16}-01"
UPPER_CASE = PARENT.upper()
TOO_SHORT = PARENT[:-1]
OTHER_VERSION = "ff" + PARENT[2:]


@pytest.mark.parametrize("header", [ABSENT, "", ZERO_TRACE, ZERO_SPAN, UPPER_CASE, TOO_SHORT, OTHER_VERSION])
def test_unusable_traceparent_starts_a_new_trace(header):
    trace = continue_trace(header)
    assert trace.trace_id != TRACE
    assert len(trace.trace_id) == 32


def test_request_id_is_kept_and_sent_on():
    context = open_context({"headers": [(b"x-request-id", b"abc-1"), (b"traceparent", PARENT.encode())]})
    token = current.set(context)
    headers = outgoing_headers()
    current.reset(token)
    assert headers["X-Request-ID"] == "abc-1"
    assert headers["traceparent"].split("-")[1] == TRACE


@pytest.mark.parametrize("given", [b"", b"a b", b'x"y', b"a" * 65, "é".encode()])
def test_unusable_request_id_is_replaced(given):
    context = open_context({"headers": [(b"x-request-id", given)]})
    assert len(context.request_id) == 32


def test_outside_a_request_a_new_trace_is_sent():
    assert set(outgoing_headers()) == {"traceparent"}
