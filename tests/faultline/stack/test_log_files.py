from pathlib import Path

import pytest

from faultline.stack.log_files import BLOCK_BYTES, follow, last_lines


@pytest.mark.parametrize(("count", "expected"), [(2, ["b", "c"]), (9, ["a", "b", "c"]), (0, [])])
def test_last_lines(tmp_path: Path, count: int, expected: list[str]) -> None:
    path = tmp_path / "x.log"
    path.write_text("a\nb\nc\n")
    assert last_lines(path, count) == expected


def test_last_lines_reads_across_blocks(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("".join(f"{'x' * 999} {number}\n" for number in range(300)))
    assert path.stat().st_size > 4 * BLOCK_BYTES
    assert [line.split()[1] for line in last_lines(path, 200)] == [str(number) for number in range(100, 300)]


def test_absent_file_has_no_lines(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "none.log", 5) == []


def test_invalid_utf8_is_shown_not_raised(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes(b"\xff\n")
    assert last_lines(tmp_path / "x.log", 5) == ["\ufffd"]


def test_follow_gives_what_is_appended_after_rotation_too(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("old\n")
    blocks = follow(path, poll_seconds=0.001)
    blocks_after_start = _append_while_following(path, "new\n", blocks)
    assert blocks_after_start == "new\n"
    path.rename(tmp_path / "x.log.1")
    path.write_text("rotated\n")
    assert next(blocks) == "rotated\n"


def _append_while_following(path: Path, text: str, blocks) -> str:  # type: ignore[no-untyped-def]
    """A generator looks at the file first when it is first asked: ask in a thread, then append."""
    import threading

    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(next(blocks)))
    reader.start()
    while not got:
        with path.open("a") as file:
            file.write(text)
        reader.join(timeout=0.5)
    return got[0]
