"""Masks: one example each, their order, and what holds for any text."""

from __future__ import annotations

import re
from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark.models.masking import MASKS, mask_texts

Mask = Callable[[str], str]

EXAMPLES = {
    "timestamp": ("at 2026-01-02T03:04:05.678+01:00 sharp", "at <TIMESTAMP> sharp"),
    "timestamp with comma": ("2026-01-02 03:04:05,678 started", "<TIMESTAMP> started"),
    "time of day": ("at 03:04:05.678 sharp", "at <TIME> sharp"),
    "uuid": ("order 01234567-89AB-cdef-0123-456789abcdef", "order <UUID>"),
    "url": ("GET http://payments:8103/charge?id=5 failed", "GET <URL> failed"),
    "url in quotes": ('to "https://a.b/c" now', 'to "<URL>" now'),
    "email": ("mail to jo.do+x@shop-1.example.org sent", "mail to <EMAIL> sent"),
    "ipv4": ("from 10.0.0.255 to", "from <IP> to"),
    "ipv4 with port": ("upstream 127.0.0.1:8101 is down", "upstream <IP> is down"),
    "ipv6": ("from 2001:db8:0:1:2:3:4:5 to", "from <IP> to"),
    "mac address": ("device 00:1a:2b:3c:4d:5e up", "device <IP> up"),
    "long decimal": ("order 1234567890123 placed", "order <NUM> placed"),
    "hex": ("at 0x7ffe and 0x12345678", "at <HEX> and <HEX>"),
    "hex without prefix": ("commit deadbeefcafe and 0123456789ABCDEF", "commit <NUM> and <NUM>"),
    "address with and without a letter": ("iar 00106ba8, iar 00106570", "iar <NUM>, iar <NUM>"),
    "long number with and without a sign": ("blk_-1608999687919862906 blk_1608999687919862906", "blk_<NUM> blk_<NUM>"),
    "id": ("article A1234 and 5abcd", "article <ID> and <ID>"),
    "number": ("took 5 of 1,024.5 ms, -3", "took <NUM> of <NUM> ms, <NUM>"),
    "number in a word": ("disk0 is sda1", "disk<NUM> is sda<NUM>"),
    "white space": ("  a \t\r\n b\x00\x1f c\x7f ", "a b c"),
    "words stay": ("status=Bad-Gateway GET /cart", "status=Bad-Gateway GET /cart"),
    "nothing": ("", ""),
    "null bytes": ("\x00\x00", ""),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(mask: Mask, name: str) -> None:
    text, expected = EXAMPLES[name]
    assert mask(text) == expected


def test_every_mask_has_an_example() -> None:
    seen = "".join(expected for _, expected in EXAMPLES.values())
    assert {name for name, _ in MASKS if f"<{name}>" not in seen} == set()


def test_order_matters_a_timestamp_is_no_three_numbers(mask: Mask) -> None:
    names = [name for name, _ in MASKS]
    assert names.index("TIMESTAMP") < names.index("TIME") < names.index("NUM")
    assert names.index("UUID") < names.index("HEX")
    assert mask("12345678-1234-1234-1234-123456789012") == "<UUID>"
    assert mask("http://10.0.0.1:80/a@b.c") == "<URL>"


def test_rows_are_independent_and_keep_their_order() -> None:
    texts = [text for text, _ in EXAMPLES.values()]
    assert mask_texts(pa.array(texts, pa.string())).to_pylist() == [expected for _, expected in EXAMPLES.values()]
    assert mask_texts(pa.array([], pa.string())).to_pylist() == []


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
def test_the_value_of_a_number_does_not_choose_the_template(a: int, b: int) -> None:
    texts = [f"block blk_{number} of {number} at {number:+d}" for number in (a, b)]
    assert len(set(mask_texts(pa.array(texts, pa.string())).to_pylist())) == 1


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_the_value_of_an_address_does_not_choose_the_template(a: int, b: int) -> None:
    texts = [f"iar {number:08x} dear 0x{number:x} at {number:08X}" for number in (a, b)]
    assert len(set(mask_texts(pa.array(texts, pa.string())).to_pylist())) == 1


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_masked_text_stays_as_it_is(mask: Mask, name: str) -> None:
    masked = mask(EXAMPLES[name][0])
    assert mask(masked) == masked


HOSTILE = ("a", "1", "1.", "a:", "@", "a@", "http://", "0x", "ab1", "1-", "2026-01-01 ", "\x00", "\u0663", "\U0001f600")


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_megabyte_of_one_thing_is_masked(mask: Mask, piece: str) -> None:
    masked = mask(piece * (1_000_000 // len(piece)))
    assert re.search("[0-9]", masked) is None


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.text("0123456789abcdefx:.-+@/<> \x00\n"))
def test_no_digit_and_no_control_character_survives(text: str) -> None:
    masked = str(mask_texts(pa.array([text], pa.string()))[0].as_py())
    assert re.search(r"[0-9\x00-\x1f\x7f]|^ | $|  ", masked) is None
