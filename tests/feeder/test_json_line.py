import pytest

from feeder.json_line import read_object


def test_object():
    assert read_object(b' {"a": [1, "x"]} ') == {"a": [1, "x"]}


BAD = {
    "empty": b"",
    "text": b"hello",
    "list": b"[1]",
    "string": b'"x"',
    "null": b"null",
    "cut": b'{"a": 1',
    "two objects": b'{"a": 1} {"b": 2}',
    "single quotes": b"{'a': 1}",
    "not a number": b'{"a": NaN}',
    "raw control": b'{"a": "\x01"}',
    "lone surrogate": b'{"a": "\\ud800"}',
    "number out of range": b'{"a": 1e999}',
    "integer of 5000 digits": b'{"a": ' + b"9" * 5000 + b"}",
    "too deep": b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "byte order mark": b'\xef\xbb\xbf{"a": 1}',
}


@pytest.mark.parametrize("line", BAD.values(), ids=BAD)
def test_bad_line_gives_the_reason(line):
    reason = read_object(line)
    assert isinstance(reason, str) and reason


def test_invalid_utf8_inside_text_is_replaced_and_the_rest_is_read():
    assert read_object(b'{"agent": "a\xffb", "status": 500}') == {"agent": "a\ufffdb", "status": 500}


def test_invalid_utf8_outside_text_is_no_json():
    assert isinstance(read_object(b'\xff{"a": 1}'), str)
