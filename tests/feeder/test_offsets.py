import os

import pytest

from feeder.offsets import Acknowledged, OffsetsUnreadable, OffsetsUnwritable, StoredOffset, load_offsets, save_offsets
from feeder.tail import FileIdentity

ONE = StoredOffset("/l/a.log", FileIdentity(1, 2, "0" * 16, 1024), 7)
TWO = StoredOffset("/l/b.log", FileIdentity(1, 3, "f" * 16, 10), 0, finished=True)


def test_acknowledgements_in_order():
    acknowledged = Acknowledged(10)
    for end in (20, 30):
        acknowledged.acknowledge(acknowledged.sent(end))
    assert (acknowledged.offset, acknowledged.pending) == (30, 0)


def test_offset_waits_for_the_first_line_that_is_not_acknowledged():
    acknowledged = Acknowledged(0)
    first, second, third = (acknowledged.sent(end) for end in (10, 20, 30))
    acknowledged.acknowledge(third)
    acknowledged.acknowledge(second)
    assert (acknowledged.offset, acknowledged.pending) == (0, 3)
    acknowledged.acknowledge(first)
    assert (acknowledged.offset, acknowledged.pending) == (30, 0)


def test_line_that_is_never_acknowledged_holds_the_offset():
    acknowledged = Acknowledged(5)
    acknowledged.sent(10)
    acknowledged.acknowledge(acknowledged.sent(20))
    assert acknowledged.offset == 5


def test_saved_is_loaded(tmp_path):
    state = tmp_path / "feeder" / "offsets.json"
    assert load_offsets(state) == []
    save_offsets(state, [ONE, TWO])
    assert load_offsets(state) == [ONE, TWO]
    assert os.listdir(state.parent) == ["offsets.json"]  # noqa: PTH208 - the names are compared


def test_file_without_finished_is_read(tmp_path):
    state = tmp_path / "offsets.json"
    save_offsets(state, [ONE])
    state.write_bytes(state.read_bytes().replace(b',"finished":false', b""))
    assert load_offsets(state) == [ONE]


def test_half_written_new_file_is_not_looked_at(tmp_path):
    state = tmp_path / "offsets.json"
    save_offsets(state, [ONE])
    state.with_suffix(".new").write_bytes(b'[{"path"')
    assert load_offsets(state) == [ONE]
    save_offsets(state, [TWO])
    assert load_offsets(state) == [TWO]


BAD = {
    "empty": b"",
    "cut": b'[{"path": "/l/a',
    "null bytes": b"\x00" * 100,
    "not UTF-8": b'[{"path": "\xff"}]',
    "an object": b"{}",
    "no identity": b'[{"path": "/l/a.log", "offset": 7}]',
    "offset below zero": b'[{"path":"/l","identity":{"device":1,"inode":2,"fingerprint":"","fingerprint_bytes":0},'
    b'"offset":-1}]',
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_damaged_file_says_what_to_do(tmp_path, content):
    state = tmp_path / "offsets.json"
    state.write_bytes(content)
    with pytest.raises(OffsetsUnreadable) as caught:
        load_offsets(state)
    text = str(caught.value)
    assert text.startswith(f"{state}: not an offsets file (")
    assert "move it away to read all watched files from their beginning" in text
    assert text.endswith("(lines sent before come again with the same event_id)")


def test_file_that_cannot_be_read(tmp_path):
    with pytest.raises(OffsetsUnreadable, match=r"cannot be read \(Is a directory\); make it readable for this user"):
        load_offsets(tmp_path)


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "feeder").touch()
    with pytest.raises(OffsetsUnwritable, match=r"cannot be written \(.*\); make room, or let this user write to"):
        save_offsets(tmp_path / "feeder" / "offsets.json", [ONE])


def test_old_file_outlives_a_write_that_failed(tmp_path):
    state = tmp_path / "offsets.json"
    save_offsets(state, [ONE])
    state.with_suffix(".new").mkdir()
    with pytest.raises(OffsetsUnwritable, match="Is a directory"):
        save_offsets(state, [TWO])
    assert load_offsets(state) == [ONE]
