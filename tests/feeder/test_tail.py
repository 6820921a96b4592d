import os
from pathlib import Path

import pytest

from feeder import tail
from feeder.lines import Line
from feeder.tail import FileIdentity, TailedFile, start_of_last_line

MAX = 16


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "app.log"


@pytest.fixture
def follow(path):
    """A function that opens the file for tailing at an offset."""
    opened = []

    def follow(offset: int = 0) -> TailedFile:
        opened.append(TailedFile(str(path), os.open(path, os.O_RDONLY), offset, MAX))
        return opened[-1]

    yield follow
    for file in opened:
        file.close()


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def test_growth(path, follow):
    path.write_bytes(b"one\ntw")
    file = follow()
    assert list(file.read_lines()) == [Line(0, 4, b"one")]
    assert list(file.read_lines()) == []
    append(path, b"o\n")
    assert list(file.read_lines()) == [Line(4, 8, b"two")]
    assert (file.read_offset, file.unread_bytes) == (8, 0)


def test_reading_goes_on_at_the_offset(path, follow):
    path.write_bytes(b"one\ntwo\n")
    assert list(follow(4).read_lines()) == [Line(4, 8, b"two")]


def test_one_call_reads_one_chunk(path, follow, monkeypatch):
    monkeypatch.setattr(tail, "CHUNK_BYTES", 6)
    path.write_bytes(b"one\ntwo\nthree\n")
    file = follow()
    assert [line.data for line in file.read_lines()] == [b"one"]
    assert file.unread_bytes == 8
    assert [line.data for line in file.read_lines()] == [b"two"]


def test_last_line_of_a_file_that_nobody_writes_any_more(path, follow):
    path.write_bytes(b"one\ntwo")
    file = follow()
    assert [line.data for line in (*file.read_lines(), *file.read_rest())] == [b"one", b"two"]
    assert list(file.read_rest()) == []


def test_truncation_is_noticed(path, follow):
    path.write_bytes(b"one\ntwo\n")
    file = follow()
    list(file.read_lines())
    os.truncate(path, 0)
    assert file.was_rewritten()
    file.start_again()
    append(path, b"new\n")
    assert not file.was_rewritten()
    assert list(file.read_lines()) == [Line(0, 4, b"new")]


def test_truncation_is_noticed_when_the_file_has_grown_past_its_old_size(path, follow):
    path.write_bytes(b"one\n")
    file = follow()
    list(file.read_lines())
    os.truncate(path, 0)
    append(path, b"another\nand more\n")
    assert file.was_rewritten()


def test_file_that_was_opened_empty_gets_its_fingerprint_as_it_grows(path, follow):
    path.write_bytes(b"")
    file = follow()
    append(path, b"one\n")
    assert not file.was_rewritten()
    list(file.read_lines())
    assert file.identity.fingerprint_bytes == 4
    os.truncate(path, 0)
    append(path, b"another and longer\n")
    assert file.was_rewritten()


def test_growth_is_no_truncation(path, follow):
    path.write_bytes(b"")
    file = follow()
    for _ in range(5):
        append(path, b"x" * 500 + b"\n")
        assert not file.was_rewritten()
        list(file.read_lines())


def test_reading_goes_on_inside_a_long_line(path, follow):
    path.write_bytes(b"a\n" + b"x" * 40 + b"\nnext\n")
    pieces = list(follow().read_lines())
    assert [line.too_long for line in pieces] == [False, True, True, True, False]
    for done in range(1, 5):
        assert list(follow(pieces[done - 1].end).read_lines()) == pieces[done:]


def test_identity_is_that_of_the_bytes_read(path, follow):
    path.write_bytes(b"one\n")
    file = follow()
    identity = file.identity
    assert identity == FileIdentity.of(file.descriptor)
    append(path, b"two\n")
    assert identity.is_of(file.descriptor)
    os.truncate(path, 0)
    append(path, b"two\n")
    assert file.identity == identity
    assert not identity.is_of(file.descriptor)


def test_identity_tells_an_inode_that_was_used_again(path, follow):
    path.write_bytes(b"one\n")
    identity = follow().identity
    path.write_bytes(b"two\nthree\n")
    file = follow()
    assert identity.key == file.key
    assert not identity.is_of(file.descriptor)


def test_deleted_file(path, follow):
    path.write_bytes(b"one\n")
    file = follow()
    assert not file.is_deleted
    path.unlink()
    assert file.is_deleted
    assert [line.data for line in file.read_lines()] == [b"one"]


LAST = {
    "empty": (b"", 0),
    "whole lines": (b"one\ntwo\n", 8),
    "half a line": (b"one\ntw", 4),
    "half a first line": (b"on", 0),
    "half a line too long": (b"one\n" + b"x" * 40, 44),
    "newline just inside the limit": (b"one\n" + b"x" * 15, 4),
}


@pytest.mark.parametrize(("content", "offset"), LAST.values(), ids=LAST)
def test_start_of_last_line(path, follow, content, offset):
    path.write_bytes(content)
    assert start_of_last_line(follow().descriptor, MAX) == offset
