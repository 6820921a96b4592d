from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from feeder.lines import Line, LineSplitter


def split(*chunks: bytes, offset: int = 0, inside: bool = False, rest: bool = False) -> list[Line]:
    splitter = LineSplitter(offset, 4, inside_long_line=inside)
    lines = [line for chunk in chunks for line in splitter.feed(chunk)]
    return lines + list(splitter.rest()) if rest else lines


def test_whole_lines_leave():
    assert split(b"ab\n\nc") == [Line(0, 3, b"ab"), Line(3, 4, b"")]


def test_partial_line_waits_for_its_end():
    assert split(b"a", b"b", b"\nc\n", offset=10) == [Line(10, 13, b"ab"), Line(13, 15, b"c")]


def test_rest_is_a_line_without_newline():
    assert split(b"ab\nc", rest=True) == [Line(0, 3, b"ab"), Line(3, 4, b"c")]
    assert split(b"ab\n", rest=True) == [Line(0, 3, b"ab")]


def test_carriage_return_before_the_newline_is_no_part_of_the_line():
    assert split(b"a\r\nb\rc\n\r\n") == [Line(0, 3, b"a"), Line(3, 7, b"b\rc"), Line(7, 9, b"")]


def test_line_as_long_as_the_limit_is_a_line():
    assert split(b"abcd\n") == [Line(0, 5, b"abcd")]


def test_longer_line_comes_in_pieces_without_a_gap():
    assert split(b"abcdefghij\nk\n") == [
        Line(0, 4, b"abcd", too_long=True),
        Line(4, 8, b"efgh", too_long=True),
        Line(8, 11, b"ij", too_long=True),
        Line(11, 13, b"k"),
    ]


def test_pieces_keep_their_carriage_return():
    assert split(b"abcdef\r\n")[-1] == Line(4, 8, b"ef\r", too_long=True)


def test_pieces_leave_before_the_line_ends():
    assert split(b"abcdefghi") == [Line(0, 4, b"abcd", too_long=True), Line(4, 8, b"efgh", too_long=True)]


def test_rest_of_a_long_line_is_a_piece():
    assert split(b"abcdef", rest=True)[-1] == Line(4, 6, b"ef", too_long=True)


def test_after_a_restart_inside_a_long_line_its_end_is_a_piece_too():
    assert split(b"ij\nk\n", offset=8, inside=True) == [Line(8, 11, b"ij", too_long=True), Line(11, 13, b"k")]


def test_newline_alone_behind_a_piece_makes_no_empty_piece():
    assert split(b"\nk\n", offset=4, inside=True) == [Line(5, 7, b"k")]


@given(st.lists(st.sampled_from([b"a", b"\n", b"\r", b"\xff\x00", b"abcdefgh"]), max_size=30), st.data())
def test_chunks_do_not_matter_and_nothing_is_lost(parts, data):
    content = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=5)))
    edges = [0, *cuts, len(content)]
    chunks = [content[begin:end] for begin, end in pairwise(edges)]
    lines = split(*chunks, rest=True)
    assert lines == split(content, rest=True)
    assert [line.offset for line in lines] == [0, *(line.end for line in lines)][: len(lines)]
    whole = b"".join(line.data for line in lines)
    assert whole.replace(b"\r", b"") == content.replace(b"\n", b"").replace(b"\r", b"")
